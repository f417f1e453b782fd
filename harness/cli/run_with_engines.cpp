#include "harness/cli/run_with_engines.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "harness/config/require_files.h"
#include "harness/cost/dry_run.h"
#include "harness/cost/served_price.h"
#include "harness/engine/local/local_engines.h"
#include "harness/engine/served/served_engines.h"

namespace niah {
namespace {

/// Opens the engines of a sweep that has both local and served variants.
class LocalAndServed : public EngineOpener {
 public:
  explicit LocalAndServed(const SweepConfig& sweep) : served_(sweep), local_(sweep.runtime) {}

  void describe(reports::RunInfo& info) const override {
    local_.describe(info);
    served_.describe(info);
  }
  /// Servers come first: a missing server is known at once, while checkpoints take minutes to load.
  std::vector<OpenedEngine> open(const WorkList& work,
                                 const std::string& tokenizer_sha256) const override {
    std::vector<OpenedEngine> served = served_.open(work, tokenizer_sha256);
    std::vector<OpenedEngine> engines = local_.open(work, tokenizer_sha256);
    std::move(served.begin(), served.end(), std::back_inserter(engines));
    return engines;
  }

 private:
  served::ServedEngines served_;
  LocalEngines local_;
};

}  // namespace

reports::Report run_with_engines(const SweepConfig& sweep, const RunOptions& options) {
  require_files(sweep);
  if (!has_served_variant(sweep)) return run_sweep(sweep, options, LocalEngines(sweep.runtime));
  if (!has_local_variant(sweep)) return run_sweep(sweep, options, served::ServedEngines(sweep));
  return run_sweep(sweep, options, LocalAndServed(sweep));
}

std::string price_with_engines(const SweepConfig& sweep, bool by_headers,
                               const ShardChoice& shard) {
  require_files(sweep);
  std::string text;
  if (has_local_variant(sweep))
    text += describe_price(
        by_headers ? price_sweep_by_headers(sweep, shard) : price_sweep(sweep, shard), sweep);
  if (!has_served_variant(sweep)) return text;
  if (!text.empty()) text += "\n";
  return text + describe_served(price_served(WorkList(sweep), shard), sweep);
}

std::optional<ShardNeeds> shard_needs(const SweepConfig& sweep, std::int64_t shards) {
  if (has_served_variant(sweep)) return std::nullopt;
  ShardNeeds most;
  for (const SweepPrice& shard : price_shards(sweep, shards)) {
    most.seconds = std::max(most.seconds, shard.seconds_high);
    for (const CellPrice& cell : shard.cells)
      most.bytes = std::max(most.bytes, cell.memory.total());
  }
  return most;
}

}  // namespace niah
