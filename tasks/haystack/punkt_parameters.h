// What Punkt learnt from its English training corpus.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace niah::tasks {

/// Where and how a word was seen in training; flags of orthographic_context().
enum OrthographicFlag : int {
  kMiddleUpper = 4,                       ///< upper case inside a sentence
  kAnyUpper = 2 | kMiddleUpper | 8,       ///< ... at its start, inside, or unknown
  kBeginningLower = 16,                   ///< lower case at a sentence's start
  kAnyLower = kBeginningLower | 32 | 64,  ///< ... at its start, inside, or unknown
};

/// Punkt's tables. Words are lower case, without their final period.
class PunktParameters {
 public:
  /// NLTK's pre-trained English model.
  static const PunktParameters& english();

  bool is_abbreviation(std::string_view word) const { return abbreviations_.contains(word); }
  bool is_sentence_starter(std::string_view word) const { return starters_.contains(word); }
  /// Whether the two words occur together so often that a period between them ends no sentence.
  bool is_collocation(std::string_view first, std::string_view second) const;
  /// OrthographicFlags of the word, 0 when it was not seen.
  int orthographic_context(std::string_view word) const;

 private:
  PunktParameters();

  std::unordered_set<std::string_view> abbreviations_;
  std::unordered_set<std::string_view> starters_;
  std::unordered_multimap<std::string_view, std::string_view> collocations_;
  std::unordered_map<std::string_view, int> context_;
};

}  // namespace niah::tasks
