#include "tasks/synthetic/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "tasks/synthetic/common_words.h"
#include "tasks/synthetic/frequent_words.h"
#include "tasks/synthetic/variable_tracking.h"
#include "tasks/task.h"

namespace niah::tasks {
namespace {

/// The harness's default for numpy, whatever the run's seed is.
constexpr std::uint32_t kLmEvalNumpySeed = 1234;

class SyntheticCell final : public Cell {
 public:
  SyntheticCell(std::shared_ptr<const SyntheticProgram> program, SyntheticRequest request,
                std::vector<SyntheticPlan> plans)
      : program_(std::move(program)), request_(std::move(request)), plans_(std::move(plans)) {}

  const CellRequest& request() const override { return request_.cell; }
  /// Worked examples and words are another sample's from the first line on.
  double alike_until(std::int64_t) const override { return 0; }

  Sample sample(std::int64_t ordinal) const override {
    check_index(request_.cell, ordinal);
    const SyntheticPlan& plan = plans_[static_cast<std::size_t>(ordinal)];
    ReferenceStreams streams = plan.streams;
    auto draft = program_->make(plan.units, streams);
    check(draft.has_value(), "a planned sample can be made again");
    program_->finish(*draft, streams);
    return sample_of(request_, ordinal, *draft, plan.length);
  }

 private:
  std::shared_ptr<const SyntheticProgram> program_;
  SyntheticRequest request_;
  std::vector<SyntheticPlan> plans_;
};

}  // namespace

std::unique_ptr<const SyntheticProgram> open_lm_eval_program(const SyntheticRequest& request,
                                                             ReferenceStreams& streams) {
  switch (find_task(request.protocol, request.cell.task).family) {
    case TaskFamily::kVariableTracking:
      return lm_eval_variable_tracking(request, streams);
    case TaskFamily::kCommonWords:
      return lm_eval_common_words(request);
    case TaskFamily::kFrequentWords:
      return lm_eval_frequent_words(request);
    case TaskFamily::kNeedle:
      break;
  }
  throw std::logic_error("a needle task is not one of these");
}

std::unique_ptr<const SyntheticProgram> open_ruler_program(const SyntheticRequest& request,
                                                           ReferenceStreams& streams) {
  switch (find_task(request.protocol, request.cell.task).family) {
    case TaskFamily::kVariableTracking:
      return ruler_variable_tracking(request, streams);
    case TaskFamily::kCommonWords:
      return ruler_common_words(request);
    case TaskFamily::kFrequentWords:
      return ruler_frequent_words(request);
    case TaskFamily::kNeedle:
      break;
  }
  throw std::logic_error("a needle task is not one of these");
}

ReferenceStreams lm_eval_streams(std::uint64_t seed) {
  return {CPythonRandom(seed), lm_eval_word_shuffles(), NumpyRandom(kLmEvalNumpySeed)};
}

ReferenceStreams ruler_streams(std::uint64_t seed) {
  if (seed > std::numeric_limits<std::uint32_t>::max()) {
    throw UsageError(fmt::format(
        "protocol ruler: seed {}; RULER gives it to numpy as well, which takes at most 2^32 - 1",
        seed));
  }
  return {CPythonRandom(seed), CPythonRandom(seed), NumpyRandom(static_cast<std::uint32_t>(seed))};
}

SyntheticPlan plan_synthetic(const SyntheticProgram& program, const SyntheticRequest& request,
                             std::int64_t units, ReferenceStreams& streams) {
  // At the smallest size the programs keep trying, for ever if need be; what has not fitted after
  // so many tries never will.
  constexpr int kMostTriesAtLeastSize = 100;
  for (int tries = 0; tries < kMostTriesAtLeastSize;) {
    stop_if_interrupted();
    SyntheticPlan plan{streams, units, 0};
    auto draft = program.make(units, streams);
    if (draft) plan.length = program.length(*draft);
    if (draft && plan.length <= program.limit()) {
      program.finish(*draft, streams);
      return plan;
    }
    if (units > program.step()) {
      units -= program.step();
    } else {
      ++tries;
    }
  }
  throw never_fits(request, "its smallest sample is longer");
}

Sample sample_of(const SyntheticRequest& request, std::int64_t index, const SyntheticDraft& draft,
                 std::int64_t length) {
  const Task& task = find_task(request.protocol, request.cell.task);
  Sample sample;
  sample.protocol = request.protocol;
  sample.task = task.name;
  sample.seed = request.seed;
  sample.max_length = request.cell.length;
  sample.index = index;
  sample.input = draft.input();
  sample.gen_prefix = draft.gen_prefix;
  sample.outputs = draft.outputs;
  sample.key = draft.key;
  sample.depth = draft.depth;
  sample.length = length;
  sample.haystack_units = draft.units;
  sample.answer_tokens = task.answer_tokens;
  if (request.protocol == "lm-eval") sample.target_delimiter = task.lm_eval_delimiter;
  complete_sample(sample, draft.needle, {draft.lead.size() + draft.head.size(), draft.tail.size()});
  return sample;
}

std::unique_ptr<Cell> make_synthetic_cell(std::shared_ptr<const SyntheticProgram> program,
                                          const SyntheticRequest& request,
                                          std::vector<SyntheticPlan> plans) {
  return std::make_unique<SyntheticCell>(std::move(program), request, std::move(plans));
}

std::int64_t grow_size(const LengthOfUnits& length_of, std::int64_t limit, std::int64_t step,
                       std::int64_t most) {
  std::int64_t units = step;
  for (;;) {
    const std::int64_t length = length_of(units);
    if (length > limit) return units - step;
    units += step;
    if (units > most) return most;
    if (length == limit) return units;
  }
}

std::int64_t bisect_size(const LengthOfUnits& length_of, std::int64_t limit, std::int64_t low,
                         std::int64_t high) {
  std::int64_t best = low;
  while (low <= high) {
    const std::int64_t middle = (low + high) / 2;
    if (length_of(middle) <= limit) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

UsageError never_fits(const SyntheticRequest& request, const std::string& why) {
  return UsageError(fmt::format("protocol {}, task {} at length {}: {}. Use a larger length{}.",
                                request.protocol, request.cell.task, request.cell.length, why,
                                request.protocol == "niah" ? "" : ", or protocol niah"));
}

}  // namespace niah::tasks
