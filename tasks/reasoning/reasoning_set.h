// Sets of reasoning problems, asked in addition to recall: the built-in word problems, GSM8K,
// MATH500.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// One problem.
struct ReasoningProblem {
  std::string question;  ///< as a person would ask it
  std::string prompt;    ///< for a base model: the question, then "Answer:"
  std::string solution;  ///< the worked solution, if any, as it continues the prompt
  std::string answer;    ///< the right answer
};

/// A set of problems, and how their answers are extracted and judged. Const members are safe from
/// several threads.
class ReasoningSet {
 public:
  virtual ~ReasoningSet() = default;
  /// "word-problems", "gsm8k", "math500": the task's name in records.
  virtual std::string name() const = 0;
  /// The number of problems; nullopt when they never end.
  virtual std::optional<std::int64_t> size() const = 0;
  virtual ReasoningProblem problem(std::int64_t index) const = 0;
  /// What a chat model is told about the form of its answer.
  virtual std::string instruction() const = 0;
  /// The final answer in an output; nullopt when it gives none. What follows the first answered
  /// problem does not count: a base model goes on with problems of its own.
  virtual std::optional<std::string> extract(std::string_view output) const = 0;
  /// Whether an extracted answer is right: numbers by their value ("$29.00" for 29), other answers
  /// of math500 by the spelling rules of MATH (same_math).
  virtual bool is_right(std::string_view extracted, const ReasoningProblem& problem) const = 0;
  /// Name and content hash, for the run's description.
  virtual std::string identity() const = 0;
};

/// Names of the kinds of sets.
std::vector<std::string> reasoning_kinds();

/// Opens a set. `path` is the user's own JSON-lines file: for gsm8k objects with "question" and
/// "answer" ("… #### 42"), for math500 with "problem", "answer" and perhaps "solution". `seed` is
/// that of the word problems. Throws UsageError for an unknown kind, and DataError with file and
/// line for a file that is not what it should be.
std::shared_ptr<const ReasoningSet> open_reasoning_set(const std::string& kind,
                                                       const std::filesystem::path& path,
                                                       std::uint64_t seed);

}  // namespace niah::tasks
