// How a question becomes what the model reads: as it is, or inside a chat's marks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/config/sweep.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

/// Frames questions by a sweep's `prompt` section.
class PromptFormat {
 public:
  /// `tokenizer` outlives this object. Throws UsageError when the frame begins with the BOS token
  /// that the tokenizer puts in front of every prompt anyway.
  PromptFormat(const SweepConfig& sweep, const models::Tokenizer& tokenizer);

  /// What the model reads: `question`, then `answer_prefix` (the start of its answer, may be empty)
  /// where the sweep gives it one.
  std::string frame(std::string_view question, std::string_view answer_prefix) const;
  /// Ids of a framed text; `ids` are those of Tokenizer::encode_prompt.
  std::vector<models::TokenId> with_bos_policy(std::vector<models::TokenId> ids) const;

  /// Whether the answer starts with the prefix, so that the expected value comes next.
  bool gives_answer_prefix() const { return config_.answer_prefix; }
  bool is_raw() const { return config_.format == "raw"; }
  /// The system turn of a chat; empty where there is none.
  const std::string& system() const { return config_.system; }
  /// What the frame has begun of a thought: "<think>", or nothing. Put in front of an output it
  /// makes the thought whole.
  const std::string& open_thought() const { return open_thought_; }
  /// Tokens of a nominal length that the frame and the thought need beside sample and answer.
  std::int64_t overhead() const { return overhead_; }
  /// Tokens that end an answer in this format, beside those of the model.
  const std::vector<std::int64_t>& stop_ids() const { return stop_ids_; }
  /// All of it in one line, for fingerprints and reports.
  std::string description() const;

 private:
  PromptConfig config_;
  std::int64_t max_thinking_tokens_;
  const models::Tokenizer* tokenizer_;
  std::string open_thought_;
  std::int64_t overhead_ = 0;
  std::vector<std::int64_t> stop_ids_;
};

}  // namespace niah
