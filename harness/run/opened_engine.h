// An engine with what a run must know of it, and who opens a sweep's engines.
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

/// Variants that an engine is asked for together.
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
  /// Called once, before the first request: tests what would make all answers worthless. `quiet`:
  /// says nothing of it. Throws DataError. Empty: there is nothing to test.
  std::function<void(bool quiet)> rehearse{};
};

/// Opens the engines of a sweep, in two steps: what is known at once is compared with the folder's
/// plan before anything is opened that takes minutes.
class EngineOpener {
 public:
  virtual ~EngineOpener() = default;
  /// Adds to a run's description on what its answers are computed.
  virtual void describe(reports::RunInfo& info) const = 0;
  /// Opens the engines for `work`, which outlives them. `tokenizer_sha256` is what fingerprints
  /// name the tokenizer's files by. At least one engine; throws UsageError and DataError.
  virtual std::vector<OpenedEngine> open(const WorkList& work,
                                         const std::string& tokenizer_sha256) const = 0;
};

}  // namespace niah
