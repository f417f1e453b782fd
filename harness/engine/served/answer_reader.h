// One answer of a server, put together while it comes.
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

/// When there is enough of an answer.
struct Enough {
  std::int64_t max_tokens = 1;  ///< that were asked for
  /// Texts that end an answer where the server does not: end tokens that it spells out.
  std::vector<std::string> stops{};
  /// Of the text so far: whether no later token can change the outcome. Empty: never.
  std::function<bool(std::string_view)> is_decided{};
  /// What has been decided is read on until the server tells how many tokens it read.
  bool waits_for_count = false;
  Hide hide{};  ///< takes out of what the server says what must not be shown
};

/// Reads an answer from its bytes, cut anywhere: a stream of events, or one JSON document from a
/// server that does not stream. A thought that the server tells apart stands in the text between
/// <think> and </think>. What it holds is bounded.
class AnswerReader {
 public:
  explicit AnswerReader(Enough enough) : enough_(std::move(enough)) {}

  /// Takes the next bytes; false: no more are of use.
  bool take(std::string_view bytes);
  /// All bytes are there.
  void finish();

  /// Whether the answer has its end, or enough of it is there.
  bool is_whole() const { return fault_.empty() && !error_ && (is_ended() || is_settled_); }
  /// Whether nothing that is still to come matters.
  bool is_enough() const { return is_whole() && (is_settled_ || is_done_ || prompt_tokens_); }
  /// What the server said instead of an answer.
  const std::optional<ServerError>& error() const { return error_; }
  /// Why what came is no answer, in one line; empty while nothing is wrong.
  const std::string& fault() const { return fault_; }

  const std::string& text() const { return text_; }  ///< valid UTF-8
  /// The text was decided before its end; what came later is not in it.
  bool is_decided() const { return is_decided_; }
  /// The server ended the answer, because there was no more room.
  bool hit_limit() const;
  /// It ended it for that with fewer tokens than were asked for: prompt and answer together are
  /// longer than its context. llama.cpp and vLLM say no more of it than that.
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
  std::string whole_;  ///< of a document that is no stream, as far as it is there
  std::optional<bool> is_stream_{};
  EventStream events_{};
  std::string begin_;  ///< of the bytes, for people
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
