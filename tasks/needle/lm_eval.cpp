// lm-evaluation-harness' tasks of RULER, sample for sample: needles (tasks/ruler/prepare_niah.py of
// version 0.4.13), and the run through all cells of a process.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "harness/base/error.h"
#include "tasks/needle/protocols.h"
#include "tasks/needle/reference_cell.h"
#include "tasks/synthetic/program.h"

namespace niah::tasks {
namespace {

/// The harness makes this many samples of each cell, however few are asked for.
constexpr std::int64_t kSamplesPerCell = 500;
/// Seeds the order of the needles in a sample, whatever the run's seed is.
constexpr std::uint64_t kShuffleSeed = 42;

/// Tokens of the question and its answers, by which the harness sizes a cell: the answers follow
/// the question without a space.
std::int64_t sizing_tokens(const ReferenceDraft& draft) {
  PromptParts text = draft.input;
  return text.add(fmt::format("{}", fmt::join(draft.outputs, " "))).count_tokens();
}

/// The size that the harness settles on: one step below the first that is too long, but never fewer
/// units than needles.
std::int64_t find_size(const ReferenceRun& run, const CellRequest& request, const Task& task,
                       CPythonRandom& random) {
  const bool is_text = task.haystack == HaystackType::kText;
  const std::int64_t step = size_step(task, request.length);
  const std::int64_t least = task.needles();
  std::int64_t units = std::max(step, least);
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
    if (units > request.length) {
      throw UsageError(fmt::format(
          "protocol lm-eval, task {} at length {}: {} words or lines take only {} tokens, and the "
          "harness refuses a tokenizer that has fewer tokens than words. Use protocol niah.",
          request.task, request.length, units, tokens));
    }
    units += step;
  }
  return std::max(units, least);
}

/// The harness's loop for one sample: makes a sample of `units`, and as long as that is longer than
/// the cell, another one, a step smaller. Nullopt when nothing is left: the harness then leaves the
/// sample out and skips its number.
std::optional<SamplePlan> plan_sample(const ReferenceRun& run, const CellRequest& request,
                                      const Task& task, std::int64_t index, std::int64_t units,
                                      CPythonRandom& random) {
  for (; units > 0; units -= size_step(task, request.length)) {
    SamplePlan plan = plan_draft(run, task, index, units, random);
    if (plan.length <= request.length) return plan;
  }
  return std::nullopt;
}

/// The error when samples were left out and fewer fit than were asked for.
UsageError too_few(const ReferenceRun& run, const CellRequest& request, const Task& task,
                   std::size_t fitting) {
  if (fitting == 0) {
    CPythonRandom random(run.spec.seed);
    const auto shortest = plan_draft(run, task, 0, task.needles(), random);
    return too_short(run, request, std::max(shortest.length, request.length + 1));
  }
  return UsageError(fmt::format(
      "protocol lm-eval, task {} at length {}: {} samples were asked for, and of the {} that the "
      "harness makes of a cell only {} fit (it leaves the others out). Ask for at most {}, use a "
      "slightly larger or smaller length, or protocol niah.",
      request.task, request.length, request.samples, kSamplesPerCell, fitting, fitting));
}

/// The first samples of a cell that the harness keeps. The harness makes all samples of every cell,
/// which moves the random stream on for the cells that follow, so only the last cell can stop
/// early.
std::unique_ptr<Cell> make_cell(const ReferenceRun& run, const CellRequest& request, bool is_last,
                                CPythonRandom& random) {
  const Task& task = find_task(run.spec.protocol, request.task);
  const std::int64_t units = find_size(run, request, task, random);
  const auto asked = static_cast<std::size_t>(request.samples);
  std::vector<SamplePlan> plans;
  for (std::int64_t i = 0; i < kSamplesPerCell && !(is_last && plans.size() == asked); ++i) {
    auto plan = plan_sample(run, request, task, i, units, random);
    if (plan && plans.size() < asked) plans.push_back(*std::move(plan));
  }
  if (plans.size() < asked) throw too_few(run, request, task, plans.size());
  return make_reference_cell(run, request, std::move(plans));
}

/// As make_cell(), for a task without needles. Every sample fits.
std::unique_ptr<Cell> make_synthetic(const SyntheticRequest& request, bool is_last,
                                     ReferenceStreams& streams) {
  const std::shared_ptr<const SyntheticProgram> program = open_lm_eval_program(request, streams);
  const std::int64_t units = program->find_size(streams);
  const auto asked = static_cast<std::size_t>(request.cell.samples);
  std::vector<SyntheticPlan> plans;
  for (std::int64_t i = 0; i < kSamplesPerCell && !(is_last && plans.size() == asked); ++i) {
    SyntheticPlan plan = plan_synthetic(*program, request, units, streams);
    if (plans.size() < asked) plans.push_back(std::move(plan));
  }
  return make_synthetic_cell(program, request, std::move(plans));
}

}  // namespace

Cells make_lm_eval_cells(const ProtocolSpec& spec, const std::vector<CellRequest>& requests) {
  const TokenCounter counter(spec.count, spec.counts_add);
  const ReferenceRun run{
      spec, std::make_shared<ReferenceHaystack>(spec, counter, CorpusRules{.joint = " "}),
      kShuffleSeed,
      [](const ReferenceDraft& draft) { return draft.input.count_tokens() + kGenerationTokens; }};
  ReferenceStreams streams = lm_eval_streams(spec.seed);
  Cells cells;
  for (const auto& request : requests) {
    if (request.samples > kSamplesPerCell) {
      throw UsageError(
          fmt::format("protocol lm-eval: {} samples of {} at length {}; the harness "
                      "makes {} and no more. Use protocol niah for more.",
                      request.samples, request.task, request.length, kSamplesPerCell));
    }
    const bool is_last = &request == &requests.back();
    const bool has_needles = find_task(spec.protocol, request.task).family == TaskFamily::kNeedle;
    cells.push_back(has_needles ? make_cell(run, request, is_last, streams.random)
                                : make_synthetic({spec.protocol, request, counter, spec.seed},
                                                 is_last, streams));
  }
  return cells;
}

}  // namespace niah::tasks
