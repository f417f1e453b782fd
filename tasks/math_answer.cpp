#include "tasks/math_answer.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

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

/// \frac12 → \frac{1}{2}, \frac1{72} → \frac{1}{72}.
std::optional<std::string> brace_fractions(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\frac");
  std::string result = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty()) return std::nullopt;
    result += "\\frac";
    if (part[0] == '{') {
      result += part;
      continue;
    }
    if (part.size() < 2) return text;
    const std::string rest = part.substr(2);
    result += std::string("{") + part[0] + "}";
    result += part[1] == '{' ? part[1] + rest : std::string("{") + part[1] + "}" + rest;
  }
  return result;
}

/// \sqrt3 → \sqrt{3}.
std::optional<std::string> brace_roots(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\sqrt");
  std::string result = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty()) return std::nullopt;
    result +=
        part[0] == '{' ? "\\sqrt" + part : std::string("\\sqrt{") + part[0] + "}" + part.substr(1);
  }
  return result;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// a/b → \frac{a}{b} for integers; nullopt where either side is none.
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

bool is_number_char(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == ',';
}

std::string clean_number(std::string number) {
  std::erase(number, ',');
  std::erase(number, '$');
  if (number.ends_with('.')) number.pop_back();
  return number;
}

bool has_digit(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
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
    replace_all(text, from, to);
  // "\text{ " describes units, and nothing but units, in this data set.
  const std::vector<std::string> units = split(text, "\\text{ ");
  if (units.size() > 2) return std::nullopt;
  text = units.front();
  replace_all(text, "\\%", "");
  replace_all(text, " .", " 0.");
  replace_all(text, "{.", "{0.");
  if (text.empty()) return text;
  if (text[0] == '.') text.insert(0, "0");
  if (const std::vector<std::string> sides = split(text, "=");
      sides.size() == 2 && sides[0].size() <= 2)
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
  if (const std::size_t at = to_lower(output).rfind(kPhrase); at != std::string::npos) {
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
  for (std::size_t at = output.find(kMark); at != output.npos; at = output.find(kMark, at + 1)) {
    std::string_view rest = output.substr(at + kMark.size());
    std::size_t end = rest.starts_with('-') ? 1 : 0;
    while (end < rest.size() && is_number_char(rest[end])) ++end;
    if (has_digit(rest.substr(0, end))) return clean_number(std::string(rest.substr(0, end)));
  }
  if (const auto boxed = last_boxed(output))
    if (auto number = last_number(*boxed)) return number;
  return last_number(output);
}

}  // namespace niah::tasks
