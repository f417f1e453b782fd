#include "tasks/reasoning/reasoning_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "tasks/reasoning/math_answer.h"
#include "tasks/reasoning/word_problem.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr const char* kWordProblems = "word-problems";
constexpr const char* kGsm8k = "gsm8k";
constexpr const char* kMath500 = "math500";

/// Whether a line is the start of a problem: "Question:", "**Problem 2:**".
bool begins_problem(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t#*"), line.size()));
  for (const std::string_view word : {"Question", "Problem"}) {
    if (!line.starts_with(word)) continue;
    const std::size_t colon = line.find_first_not_of(" 0123456789.*", word.size());
    if (colon != line.npos && line[colon] == ':') return true;
  }
  return false;
}

/// An output up to the next problem. A base model that has answered goes on with problems of its
/// own, and what it answers there is not the answer to ours.
std::string_view before_next_problem(std::string_view output) {
  for (std::size_t at = output.find('\n'); at != output.npos; at = output.find('\n', at + 1))
    if (begins_problem(output.substr(at + 1))) return output.substr(0, at);
  return output;
}

class WordProblems : public ReasoningSet {
 public:
  explicit WordProblems(std::uint64_t seed) : seed_(seed) {}
  std::string name() const override { return kWordProblems; }
  std::optional<std::int64_t> size() const override { return std::nullopt; }
  ReasoningProblem problem(std::int64_t index) const override {
    const WordProblem made = probe_problem(seed_, index);
    return {made.question, made.prompt(), made.chain_of_thought, fmt::format("{}", made.answer)};
  }
  std::string instruction() const override {
    return "Write out every step, and end with: The answer is N.";
  }
  std::optional<std::string> extract(std::string_view output) const override {
    return final_answer(before_next_problem(output));
  }
  bool is_right(std::string_view extracted, const ReasoningProblem& problem) const override {
    return same_number(extracted, problem.answer);
  }
  std::string identity() const override { return kWordProblems; }

 private:
  std::uint64_t seed_;
};

/// Reads a JSON-lines file; `read` makes a problem of each object.
template <typename Read>
std::vector<ReasoningProblem> read_problems(const std::filesystem::path& path, const Read& read) {
  std::istringstream lines(read_file(path, "reading reasoning problems"));
  std::vector<ReasoningProblem> problems;
  std::int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (strip(line).empty()) continue;
    const auto refuse = [&](const std::string& what) {
      throw DataError(
          fmt::format("reading reasoning problems: {}:{}: {}", path.string(), number, what));
    };
    nlohmann::json json;
    try {
      json = parse_strict_json(line);
    } catch (const JsonError& error) {
      refuse(fmt::format("a JSON object was expected: {}", error.what()));
    }
    if (!json.is_object()) refuse("a JSON object was expected");
    const auto text = [&](const char* field) {
      const auto found = json.find(field);
      if (found == json.end() || !found->is_string())
        refuse(fmt::format("it has no text '{}'", field));
      return found->template get<std::string>();
    };
    problems.push_back(read(json, text, refuse));
  }
  if (problems.empty())
    throw DataError(fmt::format("reading reasoning problems: {} holds none", path.string()));
  return problems;
}

class FileSet : public ReasoningSet {
 public:
  FileSet(std::string name, const std::filesystem::path& path,
          std::vector<ReasoningProblem> problems)
      : name_(std::move(name)),
        hash_(sha256_hex(MappedFile(path).view()).substr(0, 16)),
        problems_(std::move(problems)) {}
  std::string name() const override { return name_; }
  std::optional<std::int64_t> size() const override {
    return static_cast<std::int64_t>(problems_.size());
  }
  ReasoningProblem problem(std::int64_t index) const override {
    return problems_.at(static_cast<std::size_t>(index));
  }
  std::string instruction() const override {
    return "Please reason step by step, and put your final answer within \\boxed{}.";
  }
  std::string identity() const override { return fmt::format("{} {}", name_, hash_); }

 private:
  std::string name_, hash_;
  std::vector<ReasoningProblem> problems_;
};

class Gsm8k : public FileSet {
 public:
  explicit Gsm8k(const std::filesystem::path& path)
      : FileSet(kGsm8k, path,
                read_problems(path, [](const auto&, const auto& text, const auto& refuse) {
                  ReasoningProblem problem;
                  problem.question = text("question");
                  problem.prompt = fmt::format("Question: {}\nAnswer:", problem.question);
                  problem.solution = " " + text("answer");
                  if (problem.solution.find("#### ") == std::string::npos)
                    refuse("its answer has no '#### '");
                  problem.answer = final_number(problem.solution).value_or("");
                  if (problem.answer.empty()) refuse("no number follows '#### '");
                  return problem;
                })) {}
  std::optional<std::string> extract(std::string_view output) const override {
    return final_number(before_next_problem(output));
  }
  bool is_right(std::string_view extracted, const ReasoningProblem& problem) const override {
    return extracted == problem.answer || same_number(extracted, problem.answer);
  }
};

/// Whether two answers are the same number, written in two ways: "$29.00" and "29". MATH's own
/// rules compare spellings, and would tell them apart.
bool same_value(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view answer) {
    return normalise_math(answer).value_or(std::string(answer));
  };
  return same_number(a, b) || same_number(plain(a), plain(b));
}

class Math500 : public FileSet {
 public:
  explicit Math500(const std::filesystem::path& path)
      : FileSet(kMath500, path,
                read_problems(path, [](const auto& json, const auto& text, const auto&) {
                  ReasoningProblem problem;
                  problem.question = text("problem");
                  problem.prompt = fmt::format("Problem: {}\nAnswer:", problem.question);
                  problem.answer = text("answer");
                  if (json.contains("solution")) problem.solution = " " + text("solution");
                  return problem;
                })) {}
  std::optional<std::string> extract(std::string_view output) const override {
    return final_math_answer(before_next_problem(output));
  }
  bool is_right(std::string_view extracted, const ReasoningProblem& problem) const override {
    return same_math(extracted, problem.answer) || same_value(extracted, problem.answer);
  }
};

}  // namespace

std::vector<std::string> reasoning_kinds() { return {kWordProblems, kGsm8k, kMath500}; }

std::shared_ptr<const ReasoningSet> open_reasoning_set(const std::string& kind,
                                                       const std::filesystem::path& path,
                                                       std::uint64_t seed) {
  if (kind == kWordProblems) return std::make_shared<WordProblems>(seed);
  if (kind == kGsm8k) return std::make_shared<Gsm8k>(path);
  if (kind == kMath500) return std::make_shared<Math500>(path);
  throw UsageError(fmt::format("'{}' is no kind of reasoning set{}", valid_utf8(kind),
                               did_you_mean(kind, reasoning_kinds())));
}

}  // namespace niah::tasks
