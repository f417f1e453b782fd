#include "harness/engine/local/local_engines.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "harness/base/listed_error.h"
#include "harness/base/output.h"
#include "harness/cost/flops.h"
#include "harness/cost/memory_limit.h"
#include "harness/engine/local/loaded_variants.h"
#include "harness/engine/local/loading.h"
#include "harness/engine/local/local_engine.h"
#include "models/instruments/selftest.h"

namespace niah {
namespace {

/// What the selftest needs of a group.
struct Tested {
  std::shared_ptr<models::CausalLM> model;
  GroupShape shape;
};

/// Runs the selftest on a model if it costs less than a hundredth of the run: the answer must not
/// depend on how a text is split into passes.
void test_model(const Tested& tested, const WorkList& work, std::int64_t chunk, bool quiet) {
  const models::SelftestOptions options{.chunk = chunk};
  double flops = 0;
  for (const WorkItem& one : work.assignments())
    flops += read_flops(tested.shape, 0, one.length) * (1 + static_cast<double>(one.samples) / 2);
  if (flops < 100 * models::selftest_flops(*tested.model, options)) return;
  std::vector<std::string> failed;
  for (const models::SelftestCheck& check : models::selftest(*tested.model, options))
    if (!check.passed) failed.push_back(models::describe(check));
  if (!failed.empty())
    throw ListedError(
        fmt::format("testing {} before the run: its answers depend on how a text is cut "
                    "into passes, so nothing was measured:",
                    tested.shape.name),
        std::move(failed));
  if (!quiet)
    say("selftest of {}: one answer in chunks, whole and token by token\n", tested.shape.name);
}

}  // namespace

LocalEngines::LocalEngines(const RuntimeConfig& runtime)
    : runtime_(runtime), machine_(prepare_machine(runtime)) {}

void LocalEngines::describe(reports::RunInfo& info) const {
  describe_machine(info, runtime_, machine_);
}

std::vector<OpenedEngine> LocalEngines::open(const WorkList& work,
                                             const std::string& tokenizer_sha256) const {
  LocalSettings settings{.chunk = prefill_chunk(runtime_, machine_),
                         .share_prefixes = runtime_.share_prefixes,
                         .snapshot_memory = runtime_.mark_memory,
                         .threads = machine_.threads};
  settings.answer_memory = require_memory(work, machine_);
  const std::vector<LoadedVariant> variants = load_all(work, machine_, tokenizer_sha256);
  require_distinct(variants);
  const std::vector<VariantGroup> groups = group_variants(variants);
  settings.workers = count_workers(groups, machine_);

  OpenedEngine opened;
  std::vector<LocalGroup> local;
  std::vector<Tested> tested;
  for (const VariantGroup& group : groups) {
    tested.push_back({group.front().model, group_shape(group, machine_.dtype)});
    AskedGroup& asked = opened.groups.emplace_back();
    for (const LoadedVariant& variant : group) asked.variants.push_back(variant.info);
    asked.cost = group_cost(tested.back().shape);
    local.push_back({models_of(group), asked.cost.read});
  }
  for (const LoadedVariant& variant : variants) opened.variants.push_back(variant.info);
  opened.warnings = model_warnings(variants, work);
  opened.rehearse = [tested = std::move(tested), &work, chunk = settings.chunk](bool quiet) {
    for (const Tested& one : tested) test_model(one, work, chunk, quiet);
  };
  opened.engine = std::make_unique<LocalEngine>(std::move(local), settings, work.tokenizer());
  std::vector<OpenedEngine> engines;
  engines.push_back(std::move(opened));
  return engines;
}

}  // namespace niah
