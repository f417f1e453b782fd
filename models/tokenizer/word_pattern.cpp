#include "models/tokenizer/word_pattern.h"

#include <algorithm>
#include <array>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"
#include "models/tokenizer/char_class.h"

namespace niah::models {
namespace {

struct KnownPattern {
  std::string_view regex;
  WordPattern pattern;
};

constexpr std::array kKnown = {
    KnownPattern{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
                 kGpt2Pattern},
    KnownPattern{
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        {WordPattern::Family::kCl100k, 1}},
    KnownPattern{
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
        {WordPattern::Family::kCl100k, 3}},
};

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> out{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out[c] = letter                 ? CharClass::kLetter
             : c >= '0' && c <= '9' ? CharClass::kNumber
             : is_white_space(c)    ? CharClass::kSpace
                                    : CharClass::kOther;
  }
  return out;
}

constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();

/// Class and size in bytes of one character; the size is 0 past the end of the text.
struct Char {
  CharClass kind = CharClass::kOther;
  std::size_t size = 0;
};

class Matcher {
 public:
  Matcher(const WordPattern& pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  /// End of the match that starts at `begin`, a position within the text.
  std::size_t match(std::size_t begin) const {
    return pattern_.family == WordPattern::Family::kGpt2 ? match_gpt2(begin) : match_cl100k(begin);
  }

 private:
  Char look(std::size_t at) const {
    if (at >= text_.size()) return {};
    const auto byte = static_cast<unsigned char>(text_[at]);
    if (byte < 0x80) return {kAsciiClasses[byte], 1};
    const CodePoint point = decode_at(text_, at);
    return {char_class(point.value), point.size};
  }

  char byte(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
  bool is_newline(std::size_t at) const { return byte(at) == '\r' || byte(at) == '\n'; }

  /// End of the run of at most `limit` characters of class `kind` that starts at `at`.
  std::size_t run(CharClass kind, std::size_t at, std::size_t limit = SIZE_MAX) const {
    for (; limit > 0; --limit) {
      const Char next = look(at);
      if (next.size == 0 || next.kind != kind) break;
      at += next.size;
    }
    return at;
  }

  /// Size of the contraction that begins with the apostrophe at `begin`; 0 if it is none.
  std::size_t contraction(std::size_t begin, bool any_case) const {
    constexpr std::string_view kLongS = "\xC5\xBF";  // U+017F folds to s
    const auto lower = [&](std::size_t at) {
      const char c = byte(at);
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = lower(begin + 1), second = lower(begin + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && second == 'e') return 3;
    if (first == 'l' && second == 'l') return 3;
    if (any_case && text_.substr(begin + 1).starts_with(kLongS)) return 1 + kLongS.size();
    return 0;
  }

  std::size_t match_gpt2(std::size_t begin) const {
    if (text_[begin] == '\'') {
      const std::size_t size = contraction(begin, false);
      if (size > 0) return begin + size;
    }
    const std::size_t start = text_[begin] == ' ' ? begin + 1 : begin;
    const Char first = look(start);
    if (first.size > 0 && first.kind != CharClass::kSpace) return run(first.kind, start);
    return spaces_before_word(begin, run(CharClass::kSpace, begin));
  }

  std::size_t match_cl100k(std::size_t begin) const {
    if (text_[begin] == '\'') {
      const std::size_t size = contraction(begin, true);
      if (size > 0) return begin + size;
    }
    const Char first = look(begin);
    if (first.kind == CharClass::kLetter) return run(CharClass::kLetter, begin);
    if (first.kind == CharClass::kNumber) {
      return run(CharClass::kNumber, begin, pattern_.max_digits);
    }
    const Char second = look(begin + first.size);
    if (second.size > 0 && second.kind == CharClass::kLetter && !is_newline(begin)) {
      return run(CharClass::kLetter, begin + first.size);
    }
    const std::size_t start = text_[begin] == ' ' ? begin + 1 : begin;
    const std::size_t end = run(CharClass::kOther, start);
    if (end > start) return newlines(end);
    return spaces(begin);
  }

  std::size_t newlines(std::size_t at) const {
    while (is_newline(at)) ++at;
    return at;
  }

  /// \s*[\r\n]+|\s+(?!\S)|\s+
  std::size_t spaces(std::size_t begin) const {
    const std::size_t end = run(CharClass::kSpace, begin);
    const std::size_t newline = text_.substr(begin, end - begin).find_last_of("\r\n");
    if (newline != std::string_view::npos) return begin + newline + 1;
    return spaces_before_word(begin, end);
  }

  /// \s+(?!\S)|\s+ on the run of spaces [begin, end): the last space belongs to the next word,
  /// unless it is the only one.
  std::size_t spaces_before_word(std::size_t begin, std::size_t end) const {
    if (end == text_.size()) return end;
    const std::size_t last = end - decode_before(text_, end).size;
    return last > begin ? last : end;
  }

  const WordPattern& pattern_;
  std::string_view text_;
};

}  // namespace

std::optional<WordPattern> find_word_pattern(std::string_view regex) {
  const auto found = std::find_if(kKnown.begin(), kKnown.end(),
                                  [&](const KnownPattern& known) { return known.regex == regex; });
  if (found == kKnown.end()) return std::nullopt;
  return found->pattern;
}

std::string_view regex_of(const WordPattern& pattern) {
  return std::find_if(kKnown.begin(), kKnown.end(),
                      [&](const KnownPattern& known) {
                        return known.pattern.family == pattern.family &&
                               known.pattern.max_digits == pattern.max_digits;
                      })
      ->regex;
}

void append_word_ends(const WordPattern& pattern, std::string_view text, std::size_t offset,
                      std::vector<std::size_t>& ends) {
  const Matcher matcher(pattern, text);
  for (std::size_t at = 0; at < text.size();) {
    at = matcher.match(at);
    ends.push_back(offset + at);
  }
}

bool parts_words(char32_t before, char32_t after) {
  const CharClass left = char_class(before), right = char_class(after);
  if (left == CharClass::kSpace || left == right) return false;
  if (left != CharClass::kOther) return true;
  return right != CharClass::kLetter && after != '\r' && after != '\n';
}

}  // namespace niah::models
