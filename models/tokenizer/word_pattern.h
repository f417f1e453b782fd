// The regular expressions with which GPT-2, Llama 3 and Qwen 2/3 split a text into words,
// implemented by hand.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace niah::models {

/// A pattern from one of two families; every character of a text belongs to exactly one match.
struct WordPattern {
  enum class Family {
    kGpt2,    ///< 's|'t|... | ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    kCl100k,  ///< (?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*|...
  };
  Family family = Family::kGpt2;
  std::size_t max_digits = 0;  ///< k in kCl100k: 1 for Qwen, 3 for Llama 3
};

/// The pattern of the ByteLevel pre-tokenizer with use_regex.
inline constexpr WordPattern kGpt2Pattern{WordPattern::Family::kGpt2, 0};

/// The known pattern that a regular expression in a tokenizer.json stands for; nullopt if none.
std::optional<WordPattern> find_word_pattern(std::string_view regex);

/// The regular expression of a known pattern.
std::string_view regex_of(const WordPattern& pattern);

/// Appends `offset` + the end of every match, in order. The text must be well-formed UTF-8.
void append_word_ends(const WordPattern& pattern, std::string_view text, std::size_t offset,
                      std::vector<std::size_t>& ends);

/// Whether in every text a match ends between these two adjacent characters, and the matches on
/// each side do not depend on the other side.
bool parts_words(char32_t before, char32_t after);

}  // namespace niah::models
