// How a question becomes a prompt: as it is, or framed in a chat format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/config/sweep.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/sample.h"

namespace niah {

/// Frames questions as a sweep's `prompt` section says.
class PromptFormat {
 public:
  /// `tokenizer` must outlive this object. Throws UsageError when the frame begins with the BOS
  /// token that the tokenizer puts in front of every prompt anyway.
  PromptFormat(const SweepConfig& sweep, const models::Tokenizer& tokenizer);

  /// The prompt for `question`; followed by `answer_prefix`, the start of the answer (may be
  /// empty), if the sweep gives the model one. Without a frame, `delimiter` is between them.
  std::string frame(std::string_view question, std::string_view answer_prefix,
                    std::string_view delimiter = " ") const;
  /// The same of a sample.
  std::string frame(const tasks::Sample& sample) const {
    return frame(sample.input, sample.gen_prefix, sample.target_delimiter);
  }
  /// The ids of a framed text, given those of Tokenizer::encode_prompt: with `bos: false`, without
  /// what the tokenizer put in front.
  std::vector<models::TokenId> with_bos_policy(std::vector<models::TokenId> ids) const;

  /// Whether the answer starts with the prefix, so that the expected value comes next.
  bool gives_answer_prefix() const { return config_.answer_prefix; }
  bool is_raw() const { return config_.format == "raw"; }
  /// The system turn of a chat; empty where there is none.
  const std::string& system() const { return config_.system; }
  /// "<think>" if the frame opens a thought, else empty. Put in front of an output, it completes
  /// the thought.
  const std::string& open_thought() const { return open_thought_; }
  /// Tokens of a nominal length that the frame, the thought and an answer of more than
  /// tasks::kGenerationTokens need in addition to sample and answer.
  std::int64_t overhead() const { return overhead_; }
  /// Tokens that end an answer in this format, in addition to the model's own.
  const std::vector<std::int64_t>& stop_ids() const { return stop_ids_; }
  /// The whole format in one line, for fingerprints and reports.
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
