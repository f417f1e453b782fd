// One question: a haystack with a needle in it, and what the model should say.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// Counts the tokens of a text exactly as the model will see it (special tokens that the tokenizer
/// adds by itself included). All that a task may know of a tokenizer. Must be safe to call from
/// several threads.
using TokenCount = std::function<std::int64_t(std::string_view)>;

/// Tokens kept free for the answer to a needle's question (RULER: tokens_to_generate).
inline constexpr std::int64_t kGenerationTokens = 128;

/// A half-open range of code points.
struct Span {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const Span&) const = default;
};

/// One sample of a cell (task, length). Written to JSONL in lm-eval's field names plus ours.
struct Sample {
  std::string protocol;  ///< "niah", "lm-eval" or "ruler"
  std::string task;      ///< "s1", "s2", "s3", ...
  std::uint64_t seed = 0;
  std::int64_t max_length = 0;         ///< nominal length of the cell in tokens
  std::int64_t index = 0;              ///< ordinal in the cell, from 0
  std::string input;                   ///< haystack, needle and question
  std::string gen_prefix;              ///< start of the answer, given to the model
  std::string target_delimiter = " ";  ///< between input and gen_prefix
  std::vector<std::string> outputs;    ///< the expected answers: all must be found
  std::string key;                     ///< what is asked for
  Span needle;                      ///< the needle sentence asked for, in code points of prompt()
  double depth = 0;                 ///< requested depth of the needle, percent of the haystack
  double real_depth = 0;            ///< actual depth, percent of the haystack's code points
  std::int64_t length = 0;          ///< real length as the protocol counts it, answer room included
  std::int64_t haystack_units = 0;  ///< sentences or lines of haystack
  std::int64_t answer_tokens = kGenerationTokens;  ///< kept free for the answer
  std::string prompt_sha256;                       ///< of prompt()

  /// What the model reads: input, delimiter, gen_prefix.
  std::string prompt() const;
};

/// Every field by its name, the needle as [begin, end]; delimiter and answer_tokens only where they
/// are not as in the needle tasks.
void to_json(nlohmann::json& json, const Sample& sample);
/// Throws DataError naming the missing or ill-typed field.
void from_json(const nlohmann::json& json, Sample& sample);

}  // namespace niah::tasks
