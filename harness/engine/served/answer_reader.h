// Assembles one answer of a server while it arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/engine/served/event_stream.h"
#include "harness/engine/served/wire.h"

namespace niah::served {

/// What ends the reading of an answer.
struct Enough {
  std::int64_t max_tokens = 1;  ///< that were asked for
  /// Texts that end an answer although the server goes on: end tokens that it spells out.
  std::vector<std::string> stops{};
  /// Of the text so far: whether no later token can change the outcome. Empty: never.
  std::function<bool(std::string_view)> is_decided{};
  /// Read on after the outcome is decided, until the server tells how many tokens it read.
  bool waits_for_count = false;
  Hide hide{};  ///< removes credentials from what the server says
};

/// Parses an answer from its bytes, which may be cut anywhere: a stream of events, or one JSON
/// document from a server that does not stream. A thought that the server sends separately becomes
/// part of the text, between <think> and </think>. What it holds is bounded.
class AnswerReader {
 public:
  explicit AnswerReader(Enough enough) : enough_(std::move(enough)) {}

  /// Takes the next bytes; false: no more are needed.
  bool take(std::string_view bytes);
  /// To be called after the last bytes.
  void finish();

  /// Whether the answer is complete, or enough of it has arrived.
  bool is_whole() const { return fault_.empty() && !error_ && (is_ended() || is_settled_); }
  /// Whether nothing that may still arrive matters.
  bool is_enough() const { return is_whole() && (is_settled_ || is_done_ || prompt_tokens_); }
  /// What the server said instead of an answer.
  const std::optional<ServerError>& error() const { return error_; }
  /// Why what arrived is not an answer, in one line; empty while nothing is wrong.
  const std::string& fault() const { return fault_; }

  const std::string& text() const { return text_; }  ///< valid UTF-8
  /// Whether the outcome was decided before the end of the text; what arrived later is not in it.
  bool is_decided() const { return is_decided_; }
  /// Whether the server ended the answer because of a token limit.
  bool hit_limit() const;
  /// Whether it did so before the requested number of tokens: prompt and answer together are longer
  /// than its context. llama.cpp and vLLM give no other sign of that.
  bool ran_out_of_context() const;
  std::optional<std::int64_t> prompt_tokens() const { return prompt_tokens_; }
  std::optional<std::int64_t> completion_tokens() const { return completion_tokens_; }
  const std::string& model() const { return model_; }
  const std::string& system_fingerprint() const { return system_fingerprint_; }

 private:
  bool take_event(std::string_view data);
  void read(std::string_view json);
  void add(const AnswerPart& part);
  void add_text(const std::string& thought, const std::string& said);
  void settle(std::size_t before);
  bool goes_on() const;
  bool is_ended() const;

  Enough enough_;
  std::string whole_;  ///< a document that is not a stream, as far as it has arrived
  std::optional<bool> is_stream_{};
  EventStream events_{};
  std::string begin_;  ///< the first bytes, for messages
  std::string text_;
  std::string finish_reason_, model_, system_fingerprint_;
  std::optional<std::int64_t> prompt_tokens_, completion_tokens_;
  std::int64_t pieces_ = 0;
  bool is_in_thought_ = false;
  bool is_decided_ = false;
  bool is_settled_ = false;  ///< nothing more is added to the text
  bool has_answer_ = false;
  bool is_done_ = false;  ///< the server said that nothing more comes
  std::optional<ServerError> error_;
  std::string fault_;
};

}  // namespace niah::served
