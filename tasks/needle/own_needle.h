// A task whose needle, question and distractors are the user's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tasks/random/counter.h"
#include "tasks/task.h"

namespace niah::tasks {

/// Where keys or values come from: a list, or if that is empty, tokens of a type.
struct TokenSource {
  ValueType type = ValueType::kNumber;
  std::vector<std::string> list;
};

/// The words of an own task. `{key}` and `{value}` in them stand for what is drawn for a sample.
struct OwnNeedle {
  std::string name = "own";      ///< the task's
  std::string intro;             ///< before the text, on lines of its own; may be empty
  std::string text;              ///< the needle; has {value}
  std::string question;          ///< after the text
  std::string answer;            ///< the start of the answer
  std::string separator = ", ";  ///< between the keys of a question that asks for several needles
  TokenSource keys{ValueType::kWords, {}};
  TokenSource values;
  int needles = 1;  ///< in a sample, all of them asked for
  /// Sentences in the form of needles, or of any other form, with keys and values of their own.
  std::vector<std::string> distractors;

  /// Needles and distractors are keys of one value each, of which the needles are asked for.
  Task task() const;
  /// How many different keys and values a sample draws.
  int keys_in_sample() const;
  int values_in_sample() const;
  /// Name and a hash of all the rest.
  std::string identity() const;
};

/// What own needles have in place of a key and of a value.
inline constexpr std::string_view kKeyMark = "{key}", kValueMark = "{value}";

/// What a sample of an own task says.
struct OwnSample {
  std::string head, tail, prefix;      ///< before and after the text; the start of the answer
  std::string key;                     ///< what is asked for
  std::vector<std::string> outputs;    ///< the values asked for
  std::vector<std::string> sentences;  ///< needles, in the order of `outputs`, then distractors
};

/// Draws a sample's keys and values, all different.
OwnSample draw_own_sample(const OwnNeedle& needle, CounterRng& random);

/// The first value of a list that `text` holds, in any case; empty when there is none.
std::string_view value_in_text(const OwnNeedle& needle, std::string_view text);

}  // namespace niah::tasks
