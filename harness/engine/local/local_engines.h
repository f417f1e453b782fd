// A sweep's models on this machine, opened as an engine.
#pragma once

#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/engine/local/machine.h"
#include "harness/run/opened_engine.h"

namespace niah {

/// Loads all variants of a sweep into one local engine.
class LocalEngines : public EngineOpener {
 public:
  /// Throws what prepare_machine throws.
  explicit LocalEngines(const RuntimeConfig& runtime);

  void describe(reports::RunInfo& info) const override;
  /// Throws DataError before anything is loaded when the longest cell does not fit in memory, and
  /// what load_all and require_distinct throw.
  std::vector<OpenedEngine> open(const WorkList& work,
                                 const std::string& tokenizer_sha256) const override;

 private:
  RuntimeConfig runtime_;
  Machine machine_;
};

}  // namespace niah
