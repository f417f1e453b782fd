// One question to one variant, scored: the step from a model's output to a record.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/prefix_schedule.h"
#include "harness/run/prompt_format.h"
#include "models/decode.h"
#include "models/tokenizer/prompt_encoder.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"
#include "tasks/corpus/reasoning_set.h"
#include "tasks/protocol.h"

namespace niah {

/// A prompt with what is expected, in text and in ids.
struct Question {
  reports::Record blank;  ///< everything of the record that is known before the model answers
  std::function<std::string()> prompt;  ///< its text, made again when it is needed
  std::string expected_text;            ///< what the draft spells
  PromptIds ids;                        ///< the prompt as the model reads it
  TokenIds draft;  ///< expected continuation; empty where it cannot be spelled in ids
  std::int64_t max_new_tokens = 0;       ///< of the answer
  std::int64_t max_thinking_tokens = 0;  ///< of the thought before it
  bool stop_when_decided = true;
  /// What the prompt has begun of a thought; put in front of the output when it is read.
  std::string open_thought;
  /// How a reasoning answer is read; null for needles.
  std::shared_ptr<const tasks::ReasoningSet> set;
  tasks::ReasoningProblem problem;

  /// Tokens that may be generated in all.
  std::int64_t room() const { return max_thinking_tokens + max_new_tokens; }
  /// Tokens of the prompt and of all that may be read behind it.
  std::int64_t longest() const {
    return static_cast<std::int64_t>(ids.size() + draft.size()) + room();
  }
};

/// Sample `ordinal` of `cell`, which outlives the question, as does `format`. `encoder` is
/// `tokenizer`'s; samples of one cell go through one. The record's lengths include the format's
/// overhead.
Question needle_question(const tasks::Cell& cell, std::int64_t ordinal, const PromptFormat& format,
                         const models::Tokenizer& tokenizer, models::PromptEncoder& encoder,
                         const GenerationConfig& generation);

/// Problem `index` of a reasoning set as a question. Where the prompt is raw, the draft is the
/// worked solution.
Question reasoning_question(std::shared_ptr<const tasks::ReasoningSet> set, std::int64_t index,
                            const PromptFormat& format, const models::Tokenizer& tokenizer,
                            const ReasoningConfig& reasoning, const GenerationConfig& generation);

/// Tokens that end an answer: the model's, the tokenizer's and the format's.
std::vector<std::int64_t> stop_ids(const models::CausalLM& model,
                                   const models::Tokenizer& tokenizer, const PromptFormat& format);

/// Reads a prompt from position `start` on, but for its last token, which gives the first logits:
/// in pieces that end at multiples of `chunk`. Calls `then` with the end of each. Throws
/// Interrupted.
void read_prompt(models::Reader& reader, const PromptIds& prompt, std::int64_t start,
                 std::int64_t chunk, const std::function<void(std::int64_t)>& then);

/// Puts the beginning of an output into its record: a long thought must not make a line that no
/// reader of journals takes.
void keep_output(reports::Record& record, const std::string& output,
                 const std::vector<std::int64_t>& ids);

/// One question to one variant, from the prompt's last token to the scored record.
class Asking {
 public:
  /// `question` and `tokenizer` outlive it, `prompt` its first pass.
  Asking(const Question& question, const std::string& fingerprint,
         std::vector<std::int64_t> eos_ids, const TokenIds& prompt,
         const models::Tokenizer& tokenizer);
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  /// One pass in `reader`, which stands before the first time behind all but the last token of the
  /// prompt; whether it goes on. Should memory not suffice, `make_room` is called, and a second
  /// failure ends it.
  bool pass(
      models::Reader& reader, std::size_t variant, const std::function<void()>& make_room = [] {});
  models::GreedyDecoder& decoder() { return decoder_; }
  const models::GreedyDecoder& decoder() const { return decoder_; }

  /// Counts what else was computed for it.
  void book(std::int64_t tokens, double seconds);
  /// Memory did not suffice for it.
  void fail_for_memory();
  /// It ended for a reason that is none of the model's.
  void fail(const std::string& outcome, const std::string& detail);
  /// The record of what has been generated; non-finite logits are an outcome, not an error.
  reports::Record record() const;

 private:
  models::DecodeOptions options(std::vector<std::int64_t> eos_ids, const TokenIds& prompt);
  std::string read(const TokenIds& ids) const;

  const Question* question_;
  const models::Tokenizer* tokenizer_;
  std::string fingerprint_, outcome_, detail_;
  std::int64_t booked_tokens_ = 0;
  double seconds_ = 0;
  std::int64_t thought_ = 0;  ///< tokens of the thought so far
  models::GreedyDecoder decoder_;
};

}  // namespace niah
