// A sweep's served models, opened as engines.
#pragma once

#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/opened_engine.h"

namespace niah::served {

/// One engine for each served variant of a sweep.
class ServedEngines : public EngineOpener {
 public:
  /// Reads the keys that the variants name. Throws UsageError for one that is not set.
  explicit ServedEngines(const SweepConfig& sweep);

  void describe(reports::RunInfo& info) const override;
  /// Asks every server who it is. Throws DataError when one cannot be asked, or a cell is longer
  /// than it takes.
  std::vector<OpenedEngine> open(const WorkList& work,
                                 const std::string& tokenizer_sha256) const override;
};

}  // namespace niah::served
