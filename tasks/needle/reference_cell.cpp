#include "tasks/needle/reference_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "harness/base/interrupt.h"
#include "tasks/needle/templates.h"

namespace niah::tasks {
namespace {

class ReferenceCell final : public Cell {
 public:
  ReferenceCell(const ReferenceRun& run, CellRequest request, std::vector<SamplePlan> plans)
      : request_(std::move(request)),
        task_(find_task(run.spec.protocol, request_.task)),
        protocol_(run.spec.protocol),
        seed_(run.spec.seed),
        haystack_(run.haystack),
        shuffle_seed_(run.shuffle_seed),
        plans_(std::move(plans)) {}

  const CellRequest& request() const override { return request_; }

  std::int64_t index(std::int64_t ordinal) const override { return plan_of(ordinal).index; }

  double alike_until(std::int64_t ordinal) const override {
    return draft(ordinal).first_depth / 100;
  }

  Sample sample(std::int64_t ordinal) const override {
    const SamplePlan& plan = plan_of(ordinal);
    ReferenceDraft draft = this->draft(ordinal);
    Sample sample;
    sample.protocol = protocol_;
    sample.task = task_.name;
    sample.seed = seed_;
    sample.max_length = request_.length;
    sample.index = plan.index;
    sample.input = draft.input.render();
    sample.gen_prefix = answer_prefix(task_, draft.query);
    sample.outputs = std::move(draft.outputs);
    sample.key = draft.query;
    sample.depth = draft.depth;
    sample.length = plan.length;
    sample.haystack_units = plan.units;
    complete_sample(sample, draft.needle, draft.frame);
    return sample;
  }

 private:
  ReferenceDraft draft(std::int64_t ordinal) const {
    const SamplePlan& plan = plan_of(ordinal);
    CPythonRandom random = plan.random;
    return make_draft(task_, *haystack_, plan.units, shuffle_seed_, random);
  }

  const SamplePlan& plan_of(std::int64_t ordinal) const {
    check_index(request_, ordinal);
    return plans_[static_cast<std::size_t>(ordinal)];
  }

  CellRequest request_;
  const Task& task_;
  std::string protocol_;
  std::uint64_t seed_;
  std::shared_ptr<const ReferenceHaystack> haystack_;
  std::uint64_t shuffle_seed_;
  std::vector<SamplePlan> plans_;
};

}  // namespace

ReferenceDraft ReferenceRun::make(const Task& task, std::int64_t units,
                                  CPythonRandom& random) const {
  haystack->prepare(task, units);
  return make_draft(task, *haystack, units, shuffle_seed, random);
}

std::int64_t size_step(const Task& task, std::int64_t length) {
  if (task.haystack == HaystackType::kText) return 500;
  return length < 4096 ? 5 : 25;
}

SamplePlan plan_draft(const ReferenceRun& run, const Task& task, std::int64_t index,
                      std::int64_t units, CPythonRandom& random) {
  stop_if_interrupted();
  SamplePlan plan{index, random, units, 0};
  plan.length = run.length(run.make(task, units, random));
  return plan;
}

std::unique_ptr<Cell> make_reference_cell(const ReferenceRun& run, const CellRequest& request,
                                          std::vector<SamplePlan> plans) {
  return std::make_unique<ReferenceCell>(run, request, std::move(plans));
}

UsageError too_short(const ReferenceRun& run, const CellRequest& request, std::int64_t shortest) {
  return UsageError(fmt::format(
      "protocol {}, task {} at length {}: the shortest sample that this protocol makes takes {} "
      "tokens with this tokenizer. Use a length of {} or more, or protocol niah.",
      run.spec.protocol, request.task, request.length, shortest, shortest));
}

}  // namespace niah::tasks
