#include "harness/run/probe.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>

#include "harness/base/interrupt.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/run/memory_guard.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

// Keeps a record under 2 KB.
constexpr std::size_t kMaxText = 700, kMaxIds = 256;

std::string shorten(const std::string& text) {
  if (text.size() <= kMaxText) return text;
  return valid_utf8(text.substr(0, kMaxText)) + "...";
}

/// Whether the outcome can no longer change. A value inside a thought decides nothing.
bool is_decided(const Question& question, const std::string& output) {
  if (question.set || question.blank.expected.empty()) return false;
  return tasks::string_match_all(tasks::answer_after_thought(output), question.blank.expected) == 1;
}

void score_needle(reports::Record& record, const std::string& output, bool hit_limit,
                  const Question& question) {
  // The prompt serves to recognise what was copied from it; a hit needs no such look.
  const bool hit = tasks::string_match_all(output, record.expected) == 1;
  const std::string prompt = hit ? "" : question.prompt();
  const tasks::MissClass miss = tasks::classify({output, &record.expected, hit_limit, prompt});
  record.miss = tasks::miss_class_name(miss);
  // A value that stands only in the thought was not answered.
  record.score = miss == tasks::MissClass::kAnswerInThought
                     ? 0
                     : tasks::string_match_all(output, record.expected);
}

void score_reasoning(reports::Record& record, const std::string& output, bool hit_limit,
                     const Question& question) {
  using tasks::MissClass;
  const std::string_view said = tasks::answer_after_thought(output);
  const auto answer = question.set->extract(said);
  const bool right = answer && question.set->is_right(*answer, question.problem);
  record.score = right ? 1 : 0;
  const MissClass miss = right                        ? MissClass::kHit
                         : tasks::is_thinking(output) ? MissClass::kStillThinking
                         : answer                     ? MissClass::kWrongValue
                         : hit_limit                  ? MissClass::kOutOfTokens
                         : said.empty()               ? MissClass::kEmpty
                                                      : MissClass::kGarbage;
  record.miss = tasks::miss_class_name(miss);
}

}  // namespace

std::vector<std::int64_t> stop_ids(const models::CausalLM& model,
                                   const models::Tokenizer& tokenizer, const PromptFormat& format) {
  std::vector<std::int64_t> ids = model.info().eos_ids;
  ids.insert(ids.end(), format.stop_ids().begin(), format.stop_ids().end());
  if (tokenizer.eos_id() && std::find(ids.begin(), ids.end(), *tokenizer.eos_id()) == ids.end())
    ids.push_back(*tokenizer.eos_id());
  return ids;
}

void read_prompt(models::Reader& reader, const PromptIds& prompt, std::int64_t start,
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

void keep_output(reports::Record& record, const std::string& output,
                 const std::vector<std::int64_t>& ids) {
  record.text = shorten(output);
  record.ids.assign(
      ids.begin(),
      ids.begin() + std::min<std::ptrdiff_t>(kMaxIds, static_cast<std::ptrdiff_t>(ids.size())));
}

Asking::Asking(const Question& question, const std::string& fingerprint,
               std::vector<std::int64_t> eos_ids, const TokenIds& prompt,
               const models::Tokenizer& tokenizer)
    : question_(&question),
      tokenizer_(&tokenizer),
      fingerprint_(fingerprint),
      decoder_({prompt.back()}, options(std::move(eos_ids), prompt)) {}

std::string Asking::read(const TokenIds& ids) const {
  return question_->open_thought + tokenizer_->decode_output({ids.begin(), ids.end()});
}

models::DecodeOptions Asking::options(std::vector<std::int64_t> eos_ids, const TokenIds& prompt) {
  models::DecodeOptions options;
  options.max_new_tokens = question_->room();
  options.eos_ids = std::move(eos_ids);
  options.draft = question_->draft;
  options.prompt = prompt;
  if (question_->stop_when_decided)
    options.decided = [this](const TokenIds& ids) { return is_decided(*question_, read(ids)); };
  if (question_->max_thinking_tokens > 0)
    options.exhausted = [this](const TokenIds& ids) {
      // Thought and answer have room of their own.
      const auto tokens = static_cast<std::int64_t>(ids.size());
      if (tasks::is_thinking(read(ids))) {
        thought_ = tokens;
        return tokens >= question_->max_thinking_tokens;
      }
      return tokens - thought_ >= question_->max_new_tokens;
    };
  return options;
}

bool Asking::pass(models::Reader& reader, std::size_t variant,
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
  book(0, seconds_since(begin));
  return goes_on;
}

void Asking::fail_for_memory() { fail("oom", "out of memory while decoding"); }

void Asking::book(std::int64_t tokens, double seconds) {
  booked_tokens_ += tokens;
  seconds_ += seconds;
}

void Asking::fail(const std::string& outcome, const std::string& detail) {
  outcome_ = outcome;
  detail_ = detail;
}

reports::Record Asking::record() const {
  const models::Generation& generation = decoder_.generation();
  reports::Record record = question_->blank;
  record.variant = fingerprint_;
  record.computed_tokens = booked_tokens_ + generation.computed_tokens;
  record.seconds = seconds_;
  if (!outcome_.empty() || !generation.finite) {
    record.outcome = generation.finite ? outcome_ : "not_finite";
    record.detail = generation.finite ? detail_ : "a logit was NaN or infinite";
    return record;
  }
  const std::string output = read(generation.ids);
  keep_output(record, output, generation.ids);
  record.value_log_prob = generation.draft_log_prob;
  record.value_rank = generation.draft_rank;
  if (question_->set)
    score_reasoning(record, output, generation.hit_limit, *question_);
  else
    score_needle(record, output, generation.hit_limit, *question_);
  return record;
}

}  // namespace niah
