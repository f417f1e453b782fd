#include "harness/engine/local/decode_session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "harness/base/interrupt.h"
#include "harness/base/progress.h"
#include "harness/engine/local/memory_guard.h"

namespace niah {

void read_prompt(models::PrefixReader& reader, const PromptIds& prompt, std::int64_t start,
                 std::int64_t chunk, const std::function<void(std::int64_t)>& then) {
  const auto last = static_cast<std::int64_t>(prompt.size()) - 1;
  for (std::int64_t at = start; at < last;) {
    stop_if_interrupted();
    const std::int64_t end = std::min(at + chunk, last);
    reader.read({prompt.begin() + at, prompt.begin() + end});
    then(end);
    at = end;
  }
}

DecodeSession::DecodeSession(AnswerId id, const Request& request, const TokenIds& eos_ids,
                             const TokenIds& prompt, const models::Tokenizer& tokenizer)
    : id_(id),
      request_(&request),
      tokenizer_(&tokenizer),
      decoder_({prompt.back()}, options(eos_ids, prompt)) {}

std::string DecodeSession::read(const TokenIds& ids) const {
  return tokenizer_->decode_output({ids.begin(), ids.end()});
}

models::DecodeOptions DecodeSession::options(const TokenIds& eos_ids, const TokenIds& prompt) {
  models::DecodeOptions options;
  options.max_new_tokens = request_->room();
  options.eos_ids = eos_ids;
  options.eos_ids.insert(options.eos_ids.end(), request_->stop_ids.begin(),
                         request_->stop_ids.end());
  options.draft = request_->expected_ids;
  options.prompt = prompt;
  if (request_->is_decided)
    options.decided = [this](const TokenIds& ids) { return request_->is_decided(read(ids)); };
  if (request_->is_thinking)
    options.exhausted = [this](const TokenIds& ids) { return is_exhausted(ids); };
  return options;
}

/// Whether the token limit is reached: thought and answer each have their own.
bool DecodeSession::is_exhausted(const TokenIds& ids) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  if (request_->is_thinking(read(ids))) {
    thought_ = tokens;
    return tokens >= request_->max_thinking_tokens;
  }
  return tokens - thought_ >= request_->max_new_tokens;
}

bool DecodeSession::pass(models::PrefixReader& reader, std::size_t variant,
                         const std::function<void()>& make_room) {
  auto begin = std::chrono::steady_clock::now();
  bool goes_on = false;
  const auto fits = [&] {
    return fits_in_memory([&] { goes_on = models::decode_pass(reader, variant, decoder_); });
  };
  if (!fits()) {
    make_room();
    begin = std::chrono::steady_clock::now();
    if (!fits()) fail_for_memory();
  }
  account(0, seconds_since(begin));
  return goes_on;
}

void DecodeSession::account(std::int64_t tokens, double seconds) {
  accounted_tokens_ += tokens;
  seconds_ += seconds;
}

void DecodeSession::fail_for_memory() { failure_ = Failure{"oom", "out of memory while decoding"}; }

Answer DecodeSession::answer() const {
  const models::Generation& generation = decoder_.generation();
  Answer answer{.id = id_, .failure = failure_};
  answer.computed_tokens = accounted_tokens_ + generation.computed_tokens;
  answer.seconds = seconds_;
  if (!generation.finite) answer.failure = Failure{"not_finite", "a logit was NaN or infinite"};
  if (answer.failure) return answer;
  answer.ids = generation.ids;
  answer.text = read(generation.ids);
  answer.hit_limit = generation.hit_limit;
  answer.log_prob = generation.draft_log_prob;
  answer.rank = generation.draft_rank;
  return answer;
}

}  // namespace niah
