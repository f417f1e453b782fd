// Takes the place of run_with_engines.cpp in a build without libtorch.
#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/require_files.h"
#include "harness/cost/served_price.h"
#include "harness/engine/served/served_engines.h"

namespace niah {
namespace {

/// Throws DataError naming the first variant that would run on this machine.
void refuse_local_variants(const SweepConfig& sweep) {
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants)
      if (variant.kind != VariantKind::kServed)
        throw DataError(fmt::format(
            "'{} {}' is computed here, which needs libtorch, and this program was built without "
            "it: build with cmake --preset release, or ask served models alone",
            single_line(model.name), single_line(variant.name)));
}

}  // namespace

reports::Report run_with_engines(const SweepConfig& sweep, const RunOptions& options) {
  refuse_local_variants(sweep);
  require_files(sweep);
  return run_sweep(sweep, options, served::ServedEngines(sweep));
}

std::string price_with_engines(const SweepConfig& sweep, bool /*by_headers*/,
                               const ShardChoice& shard) {
  refuse_local_variants(sweep);
  require_files(sweep);
  return describe_served(price_served(WorkList(sweep), shard), sweep);
}

std::optional<ShardNeeds> shard_needs(const SweepConfig& /*sweep*/, std::int64_t /*shards*/) {
  return std::nullopt;
}

}  // namespace niah
