#include "harness/cli/run_with_engines.h"

#include "harness/engine/local/local_engines.h"

namespace niah {

reports::Report run_with_engines(const SweepConfig& sweep, const RunOptions& options) {
  return run_sweep(sweep, options, LocalEngines(sweep.runtime));
}

}  // namespace niah
