#include "harness/run/asking.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "harness/base/text.h"
#include "tasks/scoring.h"

namespace niah {
namespace {

// Together with reports::kMostTextBytes of text, this keeps a record under 2 KB.
constexpr std::size_t kMaxIds = 256;

/// The output, with the thought that the prompt opened.
std::string output_of(const Question& question, std::string_view text) {
  return question.open_thought + std::string(text);
}

/// Whether the outcome can no longer change. A value inside a thought decides nothing.
bool is_decided(const Question& question, std::string_view text) {
  const std::string output = output_of(question, text);
  return tasks::string_match_all(tasks::answer_after_thought(output),
                                 question.record_template.expected) == 1;
}

void score_needle(reports::Record& record, const std::string& output, bool hit_limit,
                  const Question& question) {
  // The prompt is only needed to recognise, in a miss, what was copied from it.
  const bool hit = tasks::string_match_all(output, record.expected) == 1;
  const std::string prompt = hit ? "" : question.prompt();
  const tasks::MissClass miss = tasks::classify({output, &record.expected, hit_limit, prompt});
  record.miss = tasks::miss_class_name(miss);
  // A value that is only in the thought is no answer.
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

TokenIds stop_ids(const PromptFormat& format, const models::Tokenizer& tokenizer) {
  TokenIds ids = format.stop_ids();
  if (tokenizer.eos_id()) ids.push_back(*tokenizer.eos_id());
  return ids;
}

Request request_of(Question& question, const TokenIds& stop_ids) {
  Request request{.ids = std::move(question.ids), .text = question.framed};
  request.question = question.bare;
  request.system = question.system;
  request.answer_prefix = question.answer_prefix;
  request.expected_ids = question.draft;
  request.expected_text = question.expected_text;
  request.max_new_tokens = question.max_new_tokens;
  request.max_thinking_tokens = question.max_thinking_tokens;
  request.stop_ids = stop_ids;
  const bool can_be_decided = question.set == nullptr && !question.record_template.expected.empty();
  if (question.stop_when_decided && can_be_decided)
    request.is_decided = [&question](std::string_view text) { return is_decided(question, text); };
  if (question.max_thinking_tokens > 0)
    request.is_thinking = [&question](std::string_view text) {
      return tasks::is_thinking(output_of(question, text));
    };
  return request;
}

void keep_output(reports::Record& record, const std::string& output,
                 const std::vector<std::int64_t>& ids) {
  record.text = cut_short(output, reports::kMostTextBytes);
  record.ids.assign(
      ids.begin(),
      ids.begin() + std::min<std::ptrdiff_t>(kMaxIds, static_cast<std::ptrdiff_t>(ids.size())));
}

reports::Record record_of(const Question& question, const std::string& fingerprint,
                          const Answer& answer) {
  reports::Record record = question.record_template;
  record.variant = fingerprint;
  record.computed_tokens = answer.computed_tokens;
  record.seconds = answer.seconds;
  record.same_again = answer.same_again;
  record.again_failed = answer.again_failed;
  record.answered_by = answer.answered_by;
  if (answer.failure) {
    record.outcome = answer.failure->outcome;
    record.detail = answer.failure->detail;
    return record;
  }
  const std::string output = output_of(question, answer.text);
  keep_output(record, output, answer.ids);
  record.value_log_prob = answer.log_prob;
  record.value_rank = answer.rank;
  if (question.set)
    score_reasoning(record, output, answer.hit_limit, question);
  else
    score_needle(record, output, answer.hit_limit, question);
  return record;
}

}  // namespace niah
