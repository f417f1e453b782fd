#include "tasks/haystack/punkt_tokens.h"

#include <algorithm>
#include <array>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr std::string_view kNumberType = "##number##";

constexpr std::array<std::uint8_t, 128> make_ascii_flags() {
  std::array<std::uint8_t, 128> flags{};
  const auto mark = [&flags](std::string_view characters, std::uint8_t flag) {
    for (const char c : characters) flags[static_cast<std::size_t>(c)] |= flag;
  };
  mark(" \t\n\v\f\r", kSpace);
  mark(")\";}]*:@'({[!?", kNonWord);
  mark("(\"`{[:;&#*@)}]-,", kNoStart);
  mark("\"')]}", kClosing);
  mark(".?!", kSentenceEnd);
  return flags;
}

constexpr auto kAsciiFlags = make_ascii_flags();

/// The typographic quotes and guillemets, which NLTK treats like ASCII quotes from 3.10 on.
bool is_typographic_quote(char32_t c) {
  return c == 0x2018 || c == 0x2019 || c == 0x201C || c == 0x201D || c == 0xAB || c == 0xBB;
}

bool has_flag(std::string_view line, std::size_t at, std::uint8_t flag) {
  return (punkt_char(line, at).flags & flag) != 0;
}

std::size_t run_length(std::string_view line, std::size_t at, char c) {
  const std::size_t end = std::min(line.find_first_not_of(c, at), line.size());
  return end - at;
}

/// Length of ". . ." at `at`: a period and a white-space character two or more times, then a
/// period. 0 when there is none.
std::size_t spaced_ellipsis_length(std::string_view line, std::size_t at) {
  std::size_t periods = 0;
  std::size_t length = 0;
  for (std::size_t i = at; i < line.size() && line[i] == '.';) {
    ++periods;
    length = i + 1 - at;
    if (i + 1 >= line.size()) break;
    const PunktChar next = punkt_char(line, i + 1);
    if (!(next.flags & kSpace)) break;
    i += 1 + next.length;
  }
  return periods >= 3 ? length : 0;
}

/// Length of a dash or an ellipsis of several characters at `at`, or 0.
std::size_t multi_character_length(std::string_view line, std::size_t at) {
  const char c = line[at];
  if (c != '-' && c != '.') return 0;
  const std::size_t run = run_length(line, at, c);
  if (run >= 2) return run;
  return c == '.' ? spaced_ellipsis_length(line, at) : 0;
}

bool ends_word_without_comma(std::string_view line, std::size_t at) {
  return at >= line.size() || has_flag(line, at, kSpace | kNonWord) ||
         multi_character_length(line, at) > 0;
}

/// Whether a word that reaches `at` ends there.
bool ends_word(std::string_view line, std::size_t at) {
  if (ends_word_without_comma(line, at)) return true;
  return line[at] == ',' && ends_word_without_comma(line, at + 1);
}

/// Length of the token that starts at `at`, which is not white space.
std::size_t token_length(std::string_view line, std::size_t at) {
  if (const std::size_t length = multi_character_length(line, at)) return length;
  const PunktChar first = punkt_char(line, at);
  std::size_t end = at + first.length;
  if (first.flags & kNoStart) return end - at;
  while (!ends_word(line, end)) end += punkt_char(line, end).length;
  return end - at;
}

/// An optional hyphen, an optional period or comma, a digit, then digits and , . - only.
bool is_number(std::string_view text) {
  std::size_t at = 0;
  const auto skip_one_of = [&](std::string_view characters) {
    if (at < text.size() && characters.find(text[at]) != characters.npos) ++at;
  };
  skip_one_of("-");
  skip_one_of(".,");
  bool has_digit = false;
  while (at < text.size()) {
    const CodePoint c = code_point_at(text, at);
    const bool separator = has_digit && (c.value == ',' || c.value == '.' || c.value == '-');
    if (!separator && !is_decimal_digit(c.value)) return false;
    has_digit = true;
    at += c.size;
  }
  return has_digit;
}

}  // namespace

PunktChar punkt_char(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {kAsciiFlags[byte], 1};
  const CodePoint c = code_point_at(text, at);
  const auto length = static_cast<std::uint8_t>(c.size);
  if (is_white_space(c.value)) return {kSpace, length};
  if (is_typographic_quote(c.value)) return {kNonWord | kClosing, length};
  return {0, length};
}

PunktToken::PunktToken(std::string_view token)
    : text(token), type(is_number(token) ? std::string(kNumberType) : to_lower(token)) {}

std::string_view PunktToken::type_without_period() const {
  const std::string_view view = type;
  return view.size() > 1 && view.ends_with('.') ? view.substr(0, view.size() - 1) : view;
}

std::string_view PunktToken::type_without_sentence_period() const {
  return ends_sentence ? type_without_period() : std::string_view(type);
}

bool PunktToken::is_initial() const {
  if (text.size() < 2 || !ends_in_period()) return false;
  const CodePoint c = code_point_at(text, 0);
  return c.size + 1 == text.size() && is_word_letter(c.value);
}

bool PunktToken::starts_upper() const { return is_upper(code_point_at(text, 0).value); }
bool PunktToken::starts_lower() const { return is_lower(code_point_at(text, 0).value); }

void tokenize_line(std::string_view line, std::vector<PunktToken>& tokens) {
  for (std::size_t at = 0; at < line.size();) {
    const PunktChar c = punkt_char(line, at);
    if (c.flags & kSpace) {
      at += c.length;
      continue;
    }
    const std::size_t length = token_length(line, at);
    tokens.emplace_back(line.substr(at, length));
    at += length;
  }
}

}  // namespace niah::tasks
