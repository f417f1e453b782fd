// One question to one variant, scored: the step from a model's output to a record.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/run/prefix_schedule.h"
#include "harness/run/prompt_format.h"
#include "harness/run/question.h"
#include "models/decode.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"

namespace niah {

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
