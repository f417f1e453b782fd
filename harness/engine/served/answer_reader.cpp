#include "harness/engine/served/answer_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "harness/base/text.h"

namespace niah::served {
namespace {

constexpr std::size_t kMostShown = 80, kMostBegin = 4096, kMostWhole = std::size_t{16} << 20;

/// The most pieces that `tokens` tokens may arrive in: a server may split one, and begin with an
/// empty one.
constexpr std::int64_t most_pieces(std::int64_t tokens) { return 2 * tokens + 16; }

/// Whether a finish_reason means that the model ended the answer, or that it has the requested
/// length. Anything else is a filter, an abort, a tool call, or unknown.
bool is_own_end(std::string_view finish_reason) {
  constexpr std::string_view kReasons[] = {"",    "stop",      "length",   "max_tokens",
                                           "eos", "eos_token", "end_turn", "stop_sequence"};
  const auto is_same = [&](std::string_view reason) {
    return std::equal(
        reason.begin(), reason.end(), finish_reason.begin(), finish_reason.end(),
        [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  };
  return std::any_of(std::begin(kReasons), std::end(kReasons), is_same);
}

}  // namespace

bool AnswerReader::take(std::string_view bytes) {
  if (!goes_on()) return false;
  if (begin_.size() < kMostBegin) begin_ += bytes.substr(0, kMostBegin - begin_.size());
  if (!is_stream_) {
    const std::size_t at = bytes.find_first_not_of(" \t\r\n");
    if (at == std::string_view::npos) return true;
    bytes.remove_prefix(at);
    is_stream_ = bytes.front() != '{' && bytes.front() != '[';
  }
  if (!*is_stream_) {
    if (whole_.size() + bytes.size() > kMostWhole) fault_ = "it is longer than an answer may be";
    if (fault_.empty()) whole_ += bytes;
    return fault_.empty();
  }
  const auto state = events_.feed(bytes, [&](std::string_view data) { return take_event(data); });
  if (state == EventStream::State::kTooLarge) fault_ = "an event of the stream is too long";
  return goes_on();
}

void AnswerReader::finish() {
  if (is_stream_ == false)
    read(whole_);
  else
    events_.finish([&](std::string_view data) { return take_event(data); });
  whole_.clear();
  if (is_whole() || error_ || !fault_.empty()) return;
  fault_ = has_answer_
               ? "it ended before the answer did"
               : fmt::format("there is no answer in it: '{}'",
                             cut_short(parse_error(begin_, enough_.hide).words, kMostShown));
}

bool AnswerReader::take_event(std::string_view data) {
  if (data.find_first_not_of(" \t\r\n") == std::string_view::npos) return true;
  if (data == "[DONE]")
    is_done_ = true;
  else
    read(data);
  return goes_on();
}

void AnswerReader::read(std::string_view json) {
  try {
    add(parse_part(json, enough_.hide));
  } catch (const BadAnswer& bad) {
    fault_ = bad.what();
  }
}

void AnswerReader::add(const AnswerPart& part) {
  error_ = part.error;
  if (part.prompt_tokens) prompt_tokens_ = part.prompt_tokens;
  if (part.completion_tokens) completion_tokens_ = part.completion_tokens;
  if (!part.model.empty()) model_ = part.model;
  if (!part.system_fingerprint.empty()) system_fingerprint_ = part.system_fingerprint;
  if (!part.has_choice) return;
  has_answer_ = true;
  if (!part.finish_reason.empty()) finish_reason_ = part.finish_reason;
  if (is_stream_ == false) is_done_ = true;
  if (!is_settled_ && !part.refusal.empty())
    fault_ = fmt::format("there is a refusal in its place: {}",
                         cut_short(single_line(part.refusal), kMostShown));
  else if (!is_settled_ && !is_own_end(part.finish_reason))
    fault_ = fmt::format("the server broke it off, with finish_reason '{}'",
                         cut_short(single_line(part.finish_reason), kMostShown));
  if (part.thought.empty() && part.text.empty()) return;
  ++pieces_;
  if (!is_settled_) add_text(part.thought, part.text);
  if (!is_settled_ && pieces_ > most_pieces(enough_.max_tokens))
    fault_ =
        fmt::format("it goes on after the {} tokens that it was asked for", enough_.max_tokens);
}

void AnswerReader::add_text(const std::string& thought, const std::string& said) {
  const std::size_t before = text_.size();
  if (!thought.empty()) {
    if (!is_in_thought_) text_ += "<think>";
    is_in_thought_ = true;
    text_ += thought;
  }
  if (!said.empty()) {
    if (is_in_thought_) text_ += "</think>";
    is_in_thought_ = false;
    text_ += said;
  }
  settle(before);
}

/// Checks whether the text has ended; its first `before` bytes were checked earlier.
void AnswerReader::settle(std::size_t before) {
  std::size_t end = std::string::npos;
  for (const std::string& stop : enough_.stops) {
    const std::size_t from = before - std::min(before, stop.size() - 1);
    end = std::min(end, text_.find(stop, from));
  }
  if (end != std::string::npos) {
    text_.resize(end);
    is_settled_ = true;
  }
  if (enough_.is_decided && enough_.is_decided(text_)) is_decided_ = is_settled_ = true;
}

bool AnswerReader::goes_on() const {
  if (error_ || !fault_.empty()) return false;
  // After a regular end, what is left is short, and reading it lets the connection be used again.
  if (!is_settled_ || is_ended()) return true;
  return enough_.waits_for_count && !prompt_tokens_ && pieces_ <= most_pieces(enough_.max_tokens);
}

bool AnswerReader::is_ended() const { return has_answer_ && (is_done_ || !finish_reason_.empty()); }

bool AnswerReader::hit_limit() const {
  if (is_settled_) return false;
  if (!finish_reason_.empty()) return finish_reason_ == "length" || finish_reason_ == "max_tokens";
  return completion_tokens_ && *completion_tokens_ >= enough_.max_tokens;
}

bool AnswerReader::ran_out_of_context() const {
  return hit_limit() && completion_tokens_ && *completion_tokens_ < enough_.max_tokens;
}

}  // namespace niah::served
