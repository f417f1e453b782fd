// The regular expressions of GPT-2, Llama 3 and Qwen 2/3 that cut a text into words, as code.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace niah::models {

/// A pattern of one of two families; every character of a text belongs to exactly one match.
struct WordPattern {
  enum class Family {
    kGpt2,    ///< 's|'t|... | ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    kCl100k,  ///< (?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|...
  };
  Family family = Family::kGpt2;
  std::size_t max_digits = 0;  ///< k of kCl100k: 1 for Qwen, 3 for Llama 3
};

/// The pattern that the ByteLevel pre-tokenizer uses when use_regex is on.
inline constexpr WordPattern kGpt2Pattern{WordPattern::Family::kGpt2, 0};

/// The pattern as a tokenizer.json writes it, when it is one that is known here.
std::optional<WordPattern> find_word_pattern(std::string_view regex);

/// The regular expression of a known pattern.
std::string_view regex_of(const WordPattern& pattern);

/// Appends `offset` + the end of every match, in order. The text must be well-formed UTF-8.
void append_word_ends(const WordPattern& pattern, std::string_view text, std::size_t offset,
                      std::vector<std::size_t>& ends);

/// Whether a match certainly ends between two neighbouring characters, and neither side's matches
/// change when the other side is taken away, whatever else stands around them.
bool parts_words(char32_t before, char32_t after);

}  // namespace niah::models
