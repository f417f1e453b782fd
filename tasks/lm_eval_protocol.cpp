// lm-evaluation-harness' needle tasks, sample for sample (its tasks/ruler/prepare_niah.py).
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "tasks/protocols.h"
#include "tasks/reference_cell.h"

namespace niah::tasks {
namespace {

/// The harness makes so many samples of each cell, however few are asked for.
constexpr std::int64_t kSamplesPerCell = 500;
/// Orders the needles of a sample, whatever the run's seed is.
constexpr std::uint64_t kShuffleSeed = 42;

/// Tokens of the question and its answers, as the harness sizes a cell by: the answers follow the
/// question without a space.
std::int64_t sizing_tokens(const ReferenceDraft& draft) {
  PromptParts text = draft.input;
  return text.add(fmt::format("{}", fmt::join(draft.outputs, " "))).count_tokens();
}

/// The size that the harness settles on: a step less than the first that is too long.
std::int64_t find_size(const ReferenceRun& run, const CellRequest& request, const Task& task,
                       CPythonRandom& random) {
  const bool is_text = task.surroundings == Surroundings::kText;
  const std::int64_t step = size_step(task, request.length);
  std::int64_t units = step;
  std::int64_t tokens = 0;
  while (tokens + kGenerationTokens < request.length) {
    tokens = sizing_tokens(run.make(task, units, random));
    if (tokens + kGenerationTokens > request.length) {
      units -= step;
      break;
    }
    if (is_text && units > run.haystack->corpus_words()) {
      units = run.haystack->corpus_words();
      break;
    }
    units += step;
  }
  if (units == 0 && !is_text) throw too_short(run, request, tokens + kGenerationTokens);
  return units;
}

std::unique_ptr<Cell> make_cell(const ReferenceRun& run, const CellRequest& request,
                                std::int64_t planned, CPythonRandom& random) {
  const Task& task = find_task(run.spec.protocol, request.task);
  const std::int64_t units = find_size(run, request, task, random);
  std::vector<SamplePlan> plans;
  for (std::int64_t i = 0; i < planned; ++i) {
    auto plan = plan_sample(run, request, task, units, random);
    if (i < request.samples) plans.push_back(std::move(plan));
  }
  return make_reference_cell(run, request, std::move(plans));
}

}  // namespace

Cells make_lm_eval_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests) {
  const TokenMeter meter(spec.count, spec.counts_add);
  const ReferenceRun run{
      spec, std::make_shared<ReferenceHaystack>(spec, meter, CorpusRules{.joint = " "}),
      kShuffleSeed,
      [](const ReferenceDraft& draft) { return draft.input.count_tokens() + kGenerationTokens; }};
  CPythonRandom random(spec.seed);
  Cells cells;
  for (const auto& request : requests) {
    if (request.samples > kSamplesPerCell) {
      throw UsageError(
          fmt::format("protocol lm-eval: {} samples of {} at length {}; the harness "
                      "makes {} and no more. Use protocol niah for more.",
                      request.samples, request.task, request.length, kSamplesPerCell));
    }
    // Samples beyond those asked for move the stream for the cells behind this one.
    const bool last = &request == &requests.back();
    cells.push_back(make_cell(run, request, last ? request.samples : kSamplesPerCell, random));
  }
  return cells;
}

}  // namespace niah::tasks
