#include "tasks/reasoning/math_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "harness/base/text.h"
#include "harness/base/utf8.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = text.find(by); at != text.npos; at = text.find(by, begin)) {
    parts.emplace_back(text.substr(begin, at - begin));
    begin = at + by.size();
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

/// The first character of a text, whole: one or more bytes.
std::string_view first_character(std::string_view text) {
  return text.substr(0, text.empty() ? 0 : code_point_at(text, 0).size);
}

/// \frac12 → \frac{1}{2}, \frac1{72} → \frac{1}{72}.
std::optional<std::string> brace_fractions(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\frac");
  std::string result = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    if (part.empty()) return std::nullopt;
    result += "\\frac";
    if (part[0] == '{') {
      result += part;
      continue;
    }
    const std::string_view numerator = first_character(part);
    const std::string_view rest = part.substr(numerator.size());
    if (rest.empty()) return text;
    result += fmt::format("{{{}}}", numerator);
    if (rest[0] == '{') {
      result += rest;
      continue;
    }
    const std::string_view denominator = first_character(rest);
    result += fmt::format("{{{}}}{}", denominator, rest.substr(denominator.size()));
  }
  return result;
}

/// \sqrt3 → \sqrt{3}.
std::optional<std::string> brace_roots(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\sqrt");
  std::string result = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    if (part.empty()) return std::nullopt;
    const std::string_view first = first_character(part);
    result += part[0] == '{' ? fmt::format("\\sqrt{}", part)
                             : fmt::format("\\sqrt{{{}}}{}", first, part.substr(first.size()));
  }
  return result;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// a/b → \frac{a}{b} for integers; nullopt if either side is not one.
std::optional<std::string> slash_to_fraction(const std::string& text) {
  const std::vector<std::string> parts = split(text, "/");
  if (parts.size() != 2) return text;
  bool plain = true;
  for (std::string_view part : parts) {
    plain = plain && !part.starts_with('+');
    if (part.starts_with('-') || part.starts_with('+')) part.remove_prefix(1);
    if (!all_digits(part)) return std::nullopt;
    plain = plain && (part.size() == 1 || part[0] != '0');
  }
  if (!plain) return text;
  return "\\frac{" + parts[0] + "}{" + parts[1] + "}";
}

bool is_number_char(char c) { return is_digit(c) || c == '.' || c == ','; }

/// Whether three digits begin at `at`, and no more than three.
bool is_digit_group(std::string_view text, std::size_t at) {
  constexpr std::size_t kGroup = 3;
  const std::string_view digits = text.substr(std::min(at, text.size()), kGroup + 1);
  return digits.size() >= kGroup && all_digits(digits.substr(0, kGroup)) &&
         (digits.size() == kGroup || !is_digit(digits.back()));
}

/// The text with numbers as a calculator shows them: a plain minus, no LaTeX before a dollar sign,
/// and a comma for whatever LaTeX or typography puts between groups of three digits.
std::string with_plain_numbers(std::string_view output) {
  std::string text(output);
  text = replace_all(std::move(text), "\u2212", "-");
  text = replace_all(std::move(text), "\\!", "");
  text = replace_all(std::move(text), "\\$", "$");
  constexpr std::string_view kSeparators[] = {"{,}",    "\\,",    "\\;",   "\\ ",
                                              "\u00a0", "\u2009", "\u202f"};
  for (const std::string_view separator : kSeparators) {
    for (std::size_t at = text.find(separator); at != text.npos;
         at = text.find(separator, at + 1)) {
      if (at > 0 && is_digit(text[at - 1]) && is_digit_group(text, at + separator.size()))
        text.replace(at, separator.size(), ",");
    }
  }
  return text;
}

std::string clean_number(std::string number) {
  std::erase(number, ',');
  std::erase(number, '$');
  if (number.ends_with('.')) number.pop_back();
  return number;
}

bool has_digit(std::string_view text) { return std::any_of(text.begin(), text.end(), is_digit); }

/// The number that a text begins with, after dollar signs and asterisks.
std::optional<std::string> leading_number(std::string_view text) {
  std::size_t at = std::min(text.find_first_not_of(" *$"), text.size());
  const std::string sign = text.substr(at).starts_with('-') ? "-" : "";
  at = std::min(text.find_first_not_of("$", at + sign.size()), text.size());
  std::size_t end = at;
  while (end < text.size() && is_number_char(text[end])) ++end;
  const std::string_view run = text.substr(at, end - at);
  if (!has_digit(run)) return std::nullopt;
  return sign + clean_number(std::string(run));
}

/// The last run of digits, dots, commas and dollar signs that holds a digit, with its minus.
std::optional<std::string> last_number(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    while (end > 0 && !is_number_char(text[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && (is_number_char(text[begin - 1]) || text[begin - 1] == '$')) --begin;
    if (begin > 0 && text[begin - 1] == '-') --begin;
    const std::string_view run = text.substr(begin, end - begin);
    if (has_digit(run)) return clean_number(std::string(run));
    end = begin;
  }
  return std::nullopt;
}

/// Removes the commas of "1,234,567.5"; other commas separate things, and stay.
std::string without_group_commas(std::string_view number) {
  const std::string_view whole = number.substr(0, number.find('.'));
  const std::size_t first = whole.find_first_of("0123456789");
  const std::size_t comma = whole.find(',');
  const bool grouped = first != whole.npos && comma != whole.npos && comma - first <= 3;
  for (std::size_t at = comma; grouped && at != whole.npos; at = whole.find(',', at + 1))
    if (!is_digit_group(whole, at + 1)) return std::string(number);
  std::string plain(number);
  if (grouped) std::erase(plain, ',');
  return plain;
}

/// A decimal number in normal form: no plus, no needless zeros; nullopt if it is not a number.
std::optional<std::string> decimal(std::string_view text) {
  std::string number = with_plain_numbers(strip(text));
  std::erase(number, '$');
  number = without_group_commas(strip(number));
  std::string_view rest = number;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const std::size_t point = rest.find('.');
  std::string_view whole = rest.substr(0, point);
  std::string_view fraction = point == rest.npos ? std::string_view() : rest.substr(point + 1);
  const bool sound = (whole.empty() || all_digits(whole)) &&
                     (fraction.empty() || all_digits(fraction)) && has_digit(rest);
  if (!sound) return std::nullopt;
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);  // npos + 1 is 0
  if (whole.empty() && fraction.empty()) return "0";
  return fmt::format("{}{}.{}", negative ? "-" : "", whole, fraction);
}

}  // namespace

std::optional<std::string> last_boxed(std::string_view text) {
  constexpr std::string_view kBare = "\\boxed ";
  if (const std::size_t bare = text.rfind(kBare); bare != text.npos) {
    const std::string_view rest = text.substr(bare + kBare.size());
    return std::string(rest.substr(0, rest.find('$')));
  }
  std::size_t at = text.rfind("\\boxed");
  if (at == text.npos) at = text.rfind("\\fbox");
  if (at == text.npos) return std::nullopt;
  const std::size_t open = text.find('{', at);
  if (open == text.npos) return std::nullopt;
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return std::string(text.substr(open + 1, i - open - 1));
  }
  return std::nullopt;
}

std::optional<std::string> normalise_math(std::string_view answer) {
  std::string text(answer);
  for (const auto& [from, to] :
       std::initializer_list<std::pair<const char*, const char*>>{{"\n", ""},
                                                                  {"\\!", ""},
                                                                  {"\\\\", "\\"},
                                                                  {"tfrac", "frac"},
                                                                  {"dfrac", "frac"},
                                                                  {"\\left", ""},
                                                                  {"\\right", ""},
                                                                  {"^{\\circ}", ""},
                                                                  {"^\\circ", ""},
                                                                  {"\\$", ""}})
    text = replace_all(std::move(text), from, to);
  // "\text{ " describes units, and nothing but units, in this data set.
  const std::vector<std::string> units = split(text, "\\text{ ");
  if (units.size() > 2) return std::nullopt;
  text = units.front();
  text = replace_all(std::move(text), "\\%", "");
  text = replace_all(std::move(text), " .", " 0.");
  text = replace_all(std::move(text), "{.", "{0.");
  if (text.empty()) return text;
  if (text[0] == '.') text.insert(0, "0");
  if (const std::vector<std::string> sides = split(text, "=");
      sides.size() == 2 && count_code_points(sides[0]) <= 2)
    text = sides[1];
  const auto rooted = brace_roots(text);
  if (!rooted) return std::nullopt;
  text = *rooted;
  std::erase(text, ' ');
  const auto fractions = brace_fractions(text);
  if (!fractions) return std::nullopt;
  return slash_to_fraction(*fractions == "0.5" ? "\\frac{1}{2}" : *fractions);
}

bool same_math(std::string_view a, std::string_view b) {
  const auto one = normalise_math(a), other = normalise_math(b);
  return one && other ? *one == *other : a == b;
}

std::optional<std::string> final_math_answer(std::string_view output) {
  if (auto boxed = last_boxed(output)) return boxed;
  constexpr std::string_view kPhrase = "final answer is";
  if (const std::size_t at = rfind_any_case(output, kPhrase); at != output.npos) {
    std::string_view rest = output.substr(at + kPhrase.size());
    rest = rest.substr(0, rest.find('\n'));
    if (const std::size_t hope = rest.find(". I hope"); hope != rest.npos)
      rest = rest.substr(0, hope);
    rest = strip(rest);
    if (rest.starts_with(':')) rest = strip(rest.substr(1));
    if (rest.ends_with('.')) rest.remove_suffix(1);
    if (rest.size() >= 2 && rest.front() == '$' && rest.back() == '$')
      rest = rest.substr(1, rest.size() - 2);
    if (!rest.empty()) return std::string(rest);
  }
  const std::size_t first = output.find('$'), last = output.rfind('$');
  if (first == output.npos || last == first) return std::nullopt;
  return std::string(output.substr(first + 1, last - first - 1));
}

std::optional<std::string> final_number(std::string_view output) {
  constexpr std::string_view kMark = "#### ";
  const std::string text = with_plain_numbers(output);
  for (std::size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at + 1)) {
    if (auto number = leading_number(std::string_view(text).substr(at + kMark.size())))
      return number;
  }
  if (const auto boxed = last_boxed(text))
    if (auto number = last_number(*boxed)) return number;
  return last_number(text);
}

std::optional<std::string> first_number(std::string_view output) {
  const std::string text = with_plain_numbers(output);
  const std::size_t digit = text.find_first_of("0123456789");
  if (digit == text.npos) return std::nullopt;
  std::size_t begin = digit;
  if (begin > 0 && text[begin - 1] == '.') --begin;
  if (begin > 0 && text[begin - 1] == '$') --begin;
  if (begin > 0 && text[begin - 1] == '-') --begin;
  return leading_number(std::string_view(text).substr(begin));
}

bool same_number(std::string_view a, std::string_view b) {
  const auto one = decimal(a), other = decimal(b);
  return one && other && *one == *other;
}

}  // namespace niah::tasks
