#include "harness/cost/estimate.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "harness/engine/local/prefix_schedule.h"

namespace niah {
namespace {

/// Adds what one prompt and its answers cost.
void add_prompt(CellPrice& price, const GroupShape& group, const ScheduledPrompt& scheduled,
                const Question& question, std::int64_t chunk, const Throughput* speed) {
  const auto tokens = static_cast<std::int64_t>(question.ids.size());
  const auto drafted = static_cast<std::int64_t>(question.draft.size());
  const auto variants = static_cast<double>(group.variants);
  // All of the prompt except its last token is read for all variants at once.
  const std::int64_t shared_end = tokens - 1;
  price.computed_tokens += shared_end - scheduled.resume + group.variants * (1 + drafted);
  price.flops += read_flops(group, scheduled.resume, shared_end) +
                 variants * ask_flops(group, shared_end, tokens + drafted, drafted + 1);
  if (speed == nullptr) return;
  for (std::int64_t at = scheduled.resume; at < scheduled.tail; at += chunk)
    price.seconds_low += speed->chunk.at(at);
  price.seconds_low += speed->chunk.at(scheduled.tail) *
                       static_cast<double>(shared_end - scheduled.tail) /
                       static_cast<double>(chunk);
  const double one = speed->token.at(tokens), answer = speed->answer.at(tokens);
  const double share =
      static_cast<double>(drafted) / static_cast<double>(Throughput::kAnswerTokens - 1);
  price.seconds_low += variants * (one + std::max(0.0, answer - one) * share);
  price.seconds_high += variants * static_cast<double>(question.room()) * one;
}

}  // namespace

std::vector<CellPrice> price_cells(const GroupShape& group,
                                   const std::vector<LabelledQuestions>& cells,
                                   const RuntimeConfig& runtime, std::int64_t chunk,
                                   std::int64_t workers, std::int64_t answers,
                                   const Throughput* speed) {
  std::vector<CellPrice> prices;
  std::vector<PromptIds> prompts;
  std::vector<std::pair<CellPrice*, const Question*>> asked;  // by prompt
  prices.reserve(cells.size());
  CellNeeds needs{.chunk = chunk, .mark_budget = runtime.mark_memory, .workers = workers};
  for (const LabelledQuestions& cell : cells) {
    CellPrice& price = prices.emplace_back();
    price.label = cell.label;
    price.variants = group.name;
    price.samples = static_cast<std::int64_t>(cell.questions.size());
    for (const Question& question : cell.questions) {
      const auto tokens = static_cast<std::int64_t>(question.ids.size());
      price.prompt_tokens += tokens;
      add_needs(needs, question);
      prompts.push_back(question.ids);
      asked.emplace_back(&price, &question);
    }
  }
  const std::vector<ScheduledPrompt> schedule =
      schedule_prefixes(prompts, chunk, runtime.share_prefixes);
  for (const ScheduledPrompt& scheduled : schedule) {
    const auto& [price, question] = asked[scheduled.prompt];
    add_prompt(*price, group, scheduled, *question, chunk, speed);
  }
  needs.marks = most_snapshots(schedule);
  for (CellPrice& price : prices) {
    price.seconds_high += price.seconds_low;
    price.memory = price_cell_memory(group, needs);
    price.memory.answers = answer_bytes(group, needs.tokens, answers, workers, std::ssize(prompts));
  }
  return prices;
}

}  // namespace niah
