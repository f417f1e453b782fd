#include "tasks/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"

namespace niah::tasks {
namespace {

constexpr char32_t kCapitalIWithDot = 0x130;

/// Other_Uppercase and Other_Lowercase of Unicode's PropList: cased characters that are not of
/// category Lu or Ll.
constexpr CodePointRange kOtherUppercase[] = {
    {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
constexpr CodePointRange kOtherLowercase[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},    {0x2E0, 0x2E4},
    {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},  {0x1D9B, 0x1DBF},
    {0x2071, 0x2071},   {0x207F, 0x207F},   {0x2090, 0x209C},   {0x2170, 0x217F},  {0x24D0, 0x24E9},
    {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},  {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA}};

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

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
      append_utf8(out,
                  static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    i += c.size;
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
      end = i + c.size;
    }
    i += c.size;
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
      out.append(utf8, i, c.size);
    } else if (!in_space) {
      out += ' ';
    }
    in_space = is_python_space(c.value);
    i += c.size;
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
