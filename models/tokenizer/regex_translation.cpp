#include "models/tokenizer/regex_translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <vector>

#include "harness/base/code_points.h"
#include "models/tokenizer/char_class.h"

namespace niah::models {
namespace {

constexpr std::array<std::string_view, 30> kCategories = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl", "No", "P",
    "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl"};

/// Sequences that equal one character if case is ignored (ß, ﬁ, ﬆ, ...): Oniguruma matches that
/// character, PCRE2 does not.
constexpr std::array<std::string_view, 5> kFoldingPairs = {"ss", "ff", "fi", "fl", "st"};

constexpr std::string_view kSimpleEscapes = "rnt";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string translate() {
    while (at_ < pattern_.size()) translate_item();
    if (!any_case_.empty()) refuse("an open group");
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) const {
    throw std::invalid_argument(
        fmt::format("{} at byte {} of the pattern is not supported", construct, at_));
  }

  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool ignores_case() const { return !any_case_.empty() && any_case_.back(); }
  void copy(std::size_t size) {
    out_ += pattern_.substr(at_, size);
    at_ += size;
  }

  void translate_item() {
    switch (pattern_[at_]) {
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '[':
        return translate_class();
      case '\\':
        return translate_escape(false);
      case '*':
      case '+':
      case '?':
        return copy(1);
      case '{':
        return translate_bounds();
      case '.':
        out_ += "[^\\n]";
        return void(++at_);
      case '^':
      case '$':
        refuse("an anchor");
      default:
        return translate_literal();
    }
  }

  void translate_literal() {
    if (ignores_case()) require_simple_folding();
    // Spaces and '#' are literals as well, because extended mode is never on.
    copy(1);
  }

  void require_simple_folding() const {
    if (static_cast<unsigned char>(pattern_[at_]) >= 0x80) refuse("ignoring the case of non-ASCII");
    std::string pair(pattern_.substr(at_, 2));
    for (char& c : pair) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::find(kFoldingPairs.begin(), kFoldingPairs.end(), pair) != kFoldingPairs.end()) {
      refuse(fmt::format("ignoring the case of \"{}\"", pair));
    }
  }

  void open_group() {
    static constexpr std::array<std::string_view, 6> kGroups = {"(?:",  "(?=",  "(?!",
                                                                "(?<=", "(?<!", "(?>"};
    if (next_is("(?i:")) {
      any_case_.push_back(true);
      return copy(4);
    }
    any_case_.push_back(ignores_case());
    if (!next_is("(?") && !next_is("(*")) return copy(1);
    for (const std::string_view group : kGroups) {
      if (next_is(group)) return copy(group.size());
    }
    refuse(fmt::format("the group \"{}\"", pattern_.substr(at_, 3)));
  }

  void close_group() {
    if (any_case_.empty()) refuse("a ) without (");
    any_case_.pop_back();
    copy(1);
  }

  /// {n}, {n,} or {n,m}, not followed by ? or +, which the two libraries interpret differently.
  void translate_bounds() {
    const std::size_t close = pattern_.find('}', at_);
    const std::string_view inside = pattern_.substr(at_ + 1, close - at_ - 1);
    const bool numbers = close != std::string_view::npos && !inside.empty() &&
                         std::isdigit(static_cast<unsigned char>(inside[0])) &&
                         inside.find_first_not_of("0123456789,") == std::string_view::npos &&
                         std::count(inside.begin(), inside.end(), ',') <= 1;
    if (!numbers) refuse("a { that is not a repeat count");
    copy(close + 1 - at_);
    if (next_is("?") || next_is("+")) refuse("a modifier after a repeat count");
  }

  void translate_class() {
    copy(next_is("[^") ? 2 : 1);
    if (next_is("]")) refuse("an empty class");
    while (!next_is("]")) {
      if (at_ >= pattern_.size()) refuse("an open class");
      if (next_is("[") || next_is("&&")) refuse("a class inside a class");
      if (next_is("\\")) {
        translate_escape(true);
      } else {
        if (ignores_case()) require_simple_folding();
        copy(1);
      }
    }
    copy(1);
  }

  void translate_escape(bool in_class) {
    if (at_ + 1 >= pattern_.size()) refuse("a \\ at the end");
    const char kind = pattern_[at_ + 1];
    if (kSimpleEscapes.find(kind) != std::string_view::npos || std::ispunct(kind)) return copy(2);
    switch (kind) {
      case 's':
        return put_class(false, white_space(), 2, in_class);
      case 'S':
        return put_class(true, white_space(), 2, in_class);
      case 'd':
        return put_class(false, category("Nd"), 2, in_class);
      case 'D':
        return put_class(true, category("Nd"), 2, in_class);
      case 'p':
      case 'P':
        return translate_property(kind == 'P', in_class);
      default:
        refuse(fmt::format("the escape \"{}\"", pattern_.substr(at_, 2)));
    }
  }

  void translate_property(bool negated, bool in_class) {
    const std::size_t close = pattern_.find('}', at_);
    if (!pattern_.substr(at_ + 2).starts_with('{') || close == std::string_view::npos) {
      refuse("a \\p without a name in braces");
    }
    const std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    if (std::find(kCategories.begin(), kCategories.end(), name) == kCategories.end()) {
      refuse(fmt::format("the property \"{}\"", name));
    }
    if (ignores_case()) refuse("a property in a group that ignores case");
    put_class(negated, category(name), close + 1 - at_, in_class);
  }

  /// Writes `content` as a separate class, or into the currently open class, and advances by
  /// `size`.
  void put_class(bool negated, const std::string& content, std::size_t size, bool in_class) {
    if (in_class && negated) refuse("a negated class inside a class");
    out_ += in_class ? content : fmt::format("[{}{}]", negated ? "^" : "", content);
    at_ += size;
  }

  static std::string range(char32_t first, char32_t last) {
    return fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<unsigned>(first),
                       static_cast<unsigned>(last));
  }

  static std::string white_space() {
    std::string out;
    for (const auto& [first, last] : kWhiteSpace) out += range(first, last);
    return out;
  }

  static std::string category(std::string_view name) {
    std::string out = fmt::format("\\p{{{}}}", name);
    for (const auto& newer : newer_categories()) {
      if (newer.category.starts_with(name)) out += range(newer.first, newer.last);
    }
    return out;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<bool> any_case_;  ///< for every open group, whether it ignores case
};

}  // namespace

std::string translate_regex(std::string_view pattern) { return Translator(pattern).translate(); }

}  // namespace niah::models
