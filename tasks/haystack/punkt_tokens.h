// Punkt's tokens: how a line is cut into them, and their properties.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// A character's properties. `flags` is a set of CharFlag; `length` is in bytes.
struct PunktChar {
  std::uint8_t flags = 0;
  std::uint8_t length = 1;
};

enum CharFlag : std::uint8_t {
  kSpace = 1,         ///< Unicode white space
  kNonWord = 2,       ///< cannot be inside a word
  kNoStart = 4,       ///< cannot start a word
  kClosing = 8,       ///< quotes and brackets that belong to the sentence that they follow
  kSentenceEnd = 16,  ///< . ? !
};

/// The character that starts at byte `at` (at < text.size()).
PunktChar punkt_char(std::string_view text, std::size_t at);

/// One word or punctuation mark, with the results of the first and the second pass.
struct PunktToken {
  explicit PunktToken(std::string_view text);

  std::string_view text;
  std::string type;  ///< lower case; numbers are all "##number##"
  bool ends_sentence = false;
  bool is_abbreviation = false;
  bool is_ellipsis = false;

  /// The type without one final period.
  std::string_view type_without_period() const;
  /// The type, without its period when that period ends a sentence.
  std::string_view type_without_sentence_period() const;
  bool ends_in_period() const { return text.ends_with('.'); }
  /// One letter and a period: "J.".
  bool is_initial() const;
  bool starts_upper() const;
  bool starts_lower() const;
};

/// Appends the tokens of `line` (which holds no newline) to `tokens`.
void tokenize_line(std::string_view line, std::vector<PunktToken>& tokens);

}  // namespace niah::tasks
