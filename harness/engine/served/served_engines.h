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
  /// Reads the keys that the variants name. Throws UsageError for a key that is not set, or that a
  /// header cannot hold; no message shows a key.
  explicit ServedEngines(const SweepConfig& sweep);

  void describe(reports::RunInfo& info) const override;
  /// Asks every server for its model and version. A variant's fingerprint covers the version, the
  /// server's address and how it is asked. Throws DataError when a server cannot be asked, or a
  /// cell is longer than its context.
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
