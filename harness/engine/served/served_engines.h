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
  /// Reads the keys that the variants name. Throws UsageError for one that is not set, or that no
  /// header could hold; no message shows a key.
  explicit ServedEngines(const SweepConfig& sweep);

  void describe(reports::RunInfo& info) const override;
  /// Asks every server who it is. A variant's fingerprint is of what it says, of its address and of
  /// how it is asked. Throws DataError when one cannot be asked, or a cell is longer than it takes.
  std::vector<OpenedEngine> open(const WorkList& work,
                                 const std::string& tokenizer_sha256) const override;

 private:
  /// A served variant, with its key.
  struct Asked {
    std::string model;
    VariantConfig variant;
    std::string key;  ///< empty: none is sent
    /// "pair served", as messages call it.
    std::string name() const { return model + " " + variant.name; }
  };

  OpenedEngine open_one(const Asked& asked, const WorkList& work,
                        const std::string& tokenizer_sha256) const;

  std::vector<Asked> asked_;  ///< in the sweep's order
};

}  // namespace niah::served
