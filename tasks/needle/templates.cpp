#include "tasks/needle/templates.h"

#include <fmt/format.h>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

/// "number" or "numbers", "uuid" or "uuids".
std::string noun(ValueType kind, bool singular) {
  const std::string_view word = kind == ValueType::kUuid ? "uuid" : "number";
  return fmt::format("{}{}", word, singular ? "" : "s");
}

}  // namespace

const std::vector<int>& depths() {
  static const std::vector<int> list = {0,  3,  5,  8,  10, 13, 15, 18, 21, 23, 26, 28, 31, 33,
                                        36, 38, 41, 44, 46, 49, 51, 54, 56, 59, 62, 64, 67, 69,
                                        72, 74, 77, 79, 82, 85, 87, 90, 92, 95, 97, 100};
  return list;
}

std::int64_t depth_position(std::int64_t sentences, double depth) {
  return static_cast<std::int64_t>(static_cast<double>(sentences) * (depth / 100.0));
}

std::string needle_sentence(ValueType value_kind, std::string_view key, std::string_view value) {
  return fmt::format("One of the special magic {} for {} is: {}.", noun(value_kind, false), key,
                     value);
}

std::string question_head(const Task& task) {
  const bool one = task.is_singular();
  return fmt::format(
      "{0} special magic {1} {2} hidden within the following text. Make sure to memorize it. I "
      "will "
      "quiz you about the {1} afterwards.\n",
      one ? "A" : "Some", noun(task.value, one), one ? "is" : "are");
}

std::string question_tail(const Task& task, std::string_view query) {
  const bool one = task.is_singular();
  return fmt::format("\nWhat {} the special magic {} for {} mentioned in the provided text?",
                     one ? "is" : "are all", noun(task.value, one), query);
}

std::string answer_prefix(const Task& task, std::string_view query) {
  const bool one = task.is_singular();
  return fmt::format("The special magic {} for {} mentioned in the provided text {}",
                     noun(task.value, one), query, one ? "is" : "are");
}

std::string join_query(const std::vector<std::string>& keys) {
  check(!keys.empty(), "a question asks for at least one key");
  if (keys.size() == 1) return keys.front();
  return fmt::format("{}, and {}", fmt::join(keys.begin(), keys.end() - 1, ", "), keys.back());
}

}  // namespace niah::tasks
