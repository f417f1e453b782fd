// An engine with what a run needs to know of it, and the interface that opens a sweep's engines.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/engine/engine.h"
#include "harness/plan/work_list.h"
#include "harness/run/job_cost.h"
#include "reports/record.h"

namespace niah {

/// Variants that are asked together.
struct AskedGroup {
  std::vector<reports::VariantInfo> variants;  ///< in the engine's order
  GroupCost cost;
};

/// An engine, ready to be asked.
struct OpenedEngine {
  std::unique_ptr<Engine> engine;
  std::vector<AskedGroup> groups;              ///< in the engine's order, at least one
  std::vector<reports::VariantInfo> variants;  ///< of all groups
  std::vector<std::string> warnings;           ///< what to know before trusting its results
  /// Called once, before the first request: checks for faults that would make all answers
  /// worthless. `quiet`: prints nothing. Throws DataError. Empty: there is nothing to check.
  std::function<void(bool quiet)> rehearse{};
};

/// Opens the engines of a sweep, in two steps: what is known at once is compared with the folder's
/// plan before anything is opened that takes minutes.
class EngineOpener {
 public:
  virtual ~EngineOpener() = default;
  /// Adds to a run's description what its answers are computed on.
  virtual void describe(reports::RunInfo& info) const = 0;
  /// Opens the engines for `work`, which must outlive them. `tokenizer_sha256`: the hash of the
  /// tokenizer for fingerprints. At least one engine; throws UsageError and DataError.
  virtual std::vector<OpenedEngine> open(const WorkList& work,
                                         const std::string& tokenizer_sha256) const = 0;
};

}  // namespace niah
