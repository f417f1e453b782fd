// Whether the needle was found, and if not, why.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// RULER's and lm-eval's string_match_all: mean over the expected answers of "is it contained in
/// the output", case folded; the output is stripped and its control characters become newlines
/// first. With no expected answer (task `absent`): 1 when the output holds no value-shaped string.
double string_match_all(std::string_view output, const std::vector<std::string>& expected);

/// What happened to one answer. Journals hold the names (miss_class_name), which never change.
enum class MissClass {
  kHit,              ///< all expected answers found
  kWrongValue,       ///< another value-shaped string (7 digits, a UUID); of `absent`: any. When a
                     ///< UUID was hidden, also a UUID that lacks a few characters; when words are
                     ///< asked for, words of their lengths
  kPartialValue,     ///< only the first characters are right, or a few characters of a UUID are
                     ///< missing, or only some of several values are there
  kHaystackEcho,     ///< text of the haystack repeated instead of an answer
  kRefused,          ///< "not mentioned", "I cannot", ...
  kOutOfTokens,      ///< no answer yet at the token limit
  kStillThinking,    ///< the thought had not ended at the token limit
  kAnswerInThought,  ///< the value is only inside the thought
  kEmpty,            ///< nothing generated
  kGarbage,          ///< none of the above
};

/// The class's name in journals: "hit", "wrong_value", ...
std::string miss_class_name(MissClass miss);
/// Throws DataError for an unknown name.
MissClass parse_miss_class(const std::string& name);

/// What the classifier looks at.
struct ScoringInput {
  std::string_view output;  ///< generated text only, no prefix
  const std::vector<std::string>* expected = nullptr;
  bool hit_token_limit = false;  ///< stopped by the limit, not by an end-of-text token
  std::string_view prompt;       ///< to recognise haystack echo; may be empty
};

/// Whether the text holds a number of seven digits or a UUID, with no letter or digit next to it.
bool contains_value(std::string_view text);

/// Whether a "<think>" has not been closed.
bool is_thinking(std::string_view output);

/// What a reasoning model says after its thought: the text after the last "</think>", nothing when
/// a "<think>" is still open, else all of it.
std::string_view answer_after_thought(std::string_view output);

/// How many leading characters of `expected` the first value-shaped string of `output` has right.
/// Here value-shaped means what could be the start of a value: a run of digits, or for a UUID of
/// hex digits and hyphens, of at least three characters.
std::size_t matching_prefix(std::string_view output, std::string_view expected);

/// The class of an answer. Only what follows the thought counts, so a value in the thought alone
/// scores 1 by string_match_all, but is kAnswerInThought here.
MissClass classify(const ScoringInput& answer);

}  // namespace niah::tasks
