// One request to one variant of a model: from the prompt's last token to the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "harness/engine/answer.h"
#include "harness/engine/request.h"
#include "models/decode/greedy.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

/// Reads a prompt from position `start` on, except for its last token, which gives the first
/// logits, in pieces that end at multiples of `chunk`. Calls `then` with the end of each piece.
/// Throws Interrupted.
void read_prompt(models::PrefixReader& reader, const PromptIds& prompt, std::int64_t start,
                 std::int64_t chunk, const std::function<void(std::int64_t)>& then);

/// Decodes one answer, a pass at a time, and counts what that took.
class DecodeSession {
 public:
  /// `eos_ids`: the model's own; `prompt`: the request's ids, which need not be in it any more.
  /// `request` and `tokenizer` must outlive it, `prompt` its first pass.
  DecodeSession(AnswerId id, const Request& request, const TokenIds& eos_ids,
                const TokenIds& prompt, const models::Tokenizer& tokenizer);
  DecodeSession(const DecodeSession&) = delete;
  DecodeSession& operator=(const DecodeSession&) = delete;

  /// Runs one pass on `reader`, which before the first one has read all of the prompt but its last
  /// token. Returns whether decoding goes on. When memory does not suffice, it calls `make_room`
  /// and tries again; a second failure ends the session.
  bool pass(
      models::PrefixReader& reader, std::size_t variant,
      const std::function<void()>& make_room = [] {});
  models::GreedyDecoder& decoder() { return decoder_; }
  const models::GreedyDecoder& decoder() const { return decoder_; }

  /// Counts what was computed elsewhere for this answer.
  void account(std::int64_t tokens, double seconds);
  /// Makes the answer an out-of-memory failure.
  void fail_for_memory();
  /// What has been generated; non-finite logits are a failure of the answer, not an error.
  Answer answer() const;

 private:
  models::DecodeOptions options(const TokenIds& eos_ids, const TokenIds& prompt);
  bool is_exhausted(const TokenIds& ids);
  std::string read(const TokenIds& ids) const;

  AnswerId id_;
  const Request* request_;
  const models::Tokenizer* tokenizer_;
  std::optional<Failure> failure_;
  std::int64_t accounted_tokens_ = 0;
  double seconds_ = 0;
  std::int64_t thought_ = 0;  ///< tokens of the thought so far
  models::GreedyDecoder decoder_;
};

}  // namespace niah
