// NVIDIA RULER's tasks, sample for sample: needles (its scripts/data/synthetic/niah.py), and a
// process for each cell.
#include <algorithm>
#include <limits>

#include "tasks/needle/protocols.h"
#include "tasks/needle/reference_cell.h"
#include "tasks/needle/templates.h"
#include "tasks/synthetic/program.h"

namespace niah::tasks {
namespace {

/// RULER's template ends in the answer prefix, so it is counted; special tokens are not.
std::int64_t template_tokens(const Task& task, const TokenCounter& counter,
                             const ReferenceDraft& draft) {
  PromptParts text = draft.input;
  text.add(" ").add(answer_prefix(task, draft.query));
  return text.count_tokens() - counter.special_tokens();
}

/// The size that RULER settles on: the largest that fits, by bisection. Each try has its own
/// needle.
std::int64_t find_size(const ReferenceRun& run, const CellRequest& request, const Task& task,
                       CPythonRandom& random) {
  const std::int64_t step = size_step(task, request.length);
  const auto length = [&](std::int64_t units) { return run.length(run.make(task, units, random)); };
  const auto first = static_cast<double>(length(step) - kGenerationTokens);
  const double per_unit = first / static_cast<double>(step);
  std::int64_t low = step;
  std::int64_t high = std::max(
      static_cast<std::int64_t>(static_cast<double>(request.length) / per_unit * 3), 2 * step);
  run.haystack->prepare(task, high);
  std::int64_t best = step;
  while (low <= high) {
    const std::int64_t middle = (low + high) / 2;
    if (length(middle) <= request.length) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

/// RULER's loop for one sample: makes a sample of `units`, and as long as that is longer than the
/// cell, another one: a step smaller, until it has only one step left.
SamplePlan plan_sample(const ReferenceRun& run, const CellRequest& request, const Task& task,
                       std::int64_t index, std::int64_t units, CPythonRandom& random) {
  // At the smallest size RULER keeps trying with other keys and values, for ever if need be; what
  // has not fitted after so many tries never will.
  constexpr int kMostTriesAtLeastSize = 100;
  const std::int64_t step = size_step(task, request.length);
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  for (int tries = 0; tries < kMostTriesAtLeastSize;) {
    const SamplePlan plan = plan_draft(run, task, index, units, random);
    if (plan.length <= request.length) return plan;
    shortest = std::min(shortest, plan.length);
    if (units > step) {
      units -= step;
    } else {
      ++tries;
    }
  }
  throw too_short(run, request, shortest);
}

/// A cell of a task without needles.
std::unique_ptr<Cell> make_synthetic(const SyntheticRequest& request) {
  ReferenceStreams streams = ruler_streams(request.seed);
  const std::shared_ptr<const SyntheticProgram> program = open_ruler_program(request, streams);
  const std::int64_t units = program->find_size(streams);
  std::vector<SyntheticPlan> plans;
  for (std::int64_t i = 0; i < request.cell.samples; ++i) {
    plans.push_back(plan_synthetic(*program, request, units, streams));
  }
  return make_synthetic_cell(program, request, std::move(plans));
}

}  // namespace

Cells make_ruler_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests) {
  const TokenCounter counter(spec.count, spec.counts_add);
  const auto haystack =
      std::make_shared<ReferenceHaystack>(spec, counter, CorpusRules{.joint = "", .repeats = true});
  Cells cells;
  for (const auto& request : requests) {
    const Task& task = find_task(spec.protocol, request.task);
    if (task.family != TaskFamily::kNeedle) {
      cells.push_back(make_synthetic({spec.protocol, request, counter, spec.seed}));
      continue;
    }
    const ReferenceRun run{spec, haystack, spec.seed, [&](const ReferenceDraft& draft) {
                             return template_tokens(task, counter, draft) + kGenerationTokens;
                           }};
    // RULER makes each cell in a process of its own, so the stream starts anew.
    CPythonRandom random(spec.seed);
    const std::int64_t units = find_size(run, request, task, random);
    std::vector<SamplePlan> plans;
    for (std::int64_t i = 0; i < request.samples; ++i) {
      plans.push_back(plan_sample(run, request, task, i, units, random));
    }
    cells.push_back(make_reference_cell(run, request, std::move(plans)));
  }
  return cells;
}

}  // namespace niah::tasks
