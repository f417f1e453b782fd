#include "tasks/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace niah::tasks {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCapitalIWithDot = 0x130;

struct Range {
  char32_t first, last;
};

/// Other_Uppercase and Other_Lowercase of Unicode's PropList: cased characters that are no letters
/// of category Lu or Ll.
constexpr std::array kOtherUppercase = {Range{0x2160, 0x216F}, Range{0x24B6, 0x24CF},
                                        Range{0x1F130, 0x1F149}, Range{0x1F150, 0x1F169},
                                        Range{0x1F170, 0x1F189}};
constexpr std::array kOtherLowercase = {
    Range{0xAA, 0xAA},       Range{0xBA, 0xBA},       Range{0x2B0, 0x2B8},
    Range{0x2C0, 0x2C1},     Range{0x2E0, 0x2E4},     Range{0x345, 0x345},
    Range{0x37A, 0x37A},     Range{0x1D2C, 0x1D6A},   Range{0x1D78, 0x1D78},
    Range{0x1D9B, 0x1DBF},   Range{0x2071, 0x2071},   Range{0x207F, 0x207F},
    Range{0x2090, 0x209C},   Range{0x2170, 0x217F},   Range{0x24D0, 0x24E9},
    Range{0x2C7C, 0x2C7D},   Range{0xA69C, 0xA69D},   Range{0xA770, 0xA770},
    Range{0xA7F8, 0xA7F9},   Range{0xAB5C, 0xAB5F},   Range{0x10780, 0x10780},
    Range{0x10783, 0x10785}, Range{0x10787, 0x107B0}, Range{0x107B2, 0x107BA}};

template <std::size_t N>
bool in_ranges(char32_t c, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return range.first <= c && c <= range.last; });
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

void append_code_point(std::string& out, char32_t c) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes.data());
  out.append(bytes.begin(), bytes.begin() + length);
}

}  // namespace

CodePoint code_point_at(std::string_view utf8, std::size_t at) {
  const auto lead = static_cast<unsigned char>(utf8[at]);
  if (lead < 0x80) return {lead, 1};
  utf8proc_int32_t value = 0;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()) + at,
                                       static_cast<utf8proc_ssize_t>(utf8.size() - at), &value);
  if (length <= 0) return {kReplacement, 1};
  return {static_cast<char32_t>(value), static_cast<std::size_t>(length)};
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

bool is_upper(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return category(c) == UTF8PROC_CATEGORY_LU || in_ranges(c, kOtherUppercase);
}

bool is_lower(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return category(c) == UTF8PROC_CATEGORY_LL || in_ranges(c, kOtherLowercase);
}

bool is_decimal_digit(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return category(c) == UTF8PROC_CATEGORY_ND;
}

bool is_word_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::string to_lower(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      out += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : utf8[i];
      ++i;
      continue;
    }
    const CodePoint c = code_point_at(utf8, i);
    if (c.value == kCapitalIWithDot) {
      out += "i\xCC\x87";  // the one character whose lower case is two: i and a combining dot
    } else {
      append_code_point(
          out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    i += c.length;
  }
  return out;
}

std::size_t rfind_any_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char lower) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == lower;
  };
  const auto found = std::find_end(text.begin(), text.end(), part.begin(), part.end(), same);
  return found == text.end() ? text.npos : static_cast<std::size_t>(found - text.begin());
}

std::string_view strip(std::string_view utf8) {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool inside = false;
  for (std::size_t i = 0; i < utf8.size();) {
    const CodePoint c = code_point_at(utf8, i);
    if (!is_python_space(c.value)) {
      if (!inside) begin = i;
      inside = true;
      end = i + c.length;
    }
    i += c.length;
  }
  return utf8.substr(begin, end - begin);
}

std::string collapse_white_space(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  bool in_space = false;
  for (std::size_t i = 0; i < utf8.size();) {
    const CodePoint c = code_point_at(utf8, i);
    if (!is_python_space(c.value)) {
      out.append(utf8, i, c.length);
    } else if (!in_space) {
      out += ' ';
    }
    in_space = is_python_space(c.value);
    i += c.length;
  }
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace niah::tasks
