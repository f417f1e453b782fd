// The nightly gate: did this run lose recall against a baseline?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// When a drop fails the gate, and when the evidence is too thin. Shares, not percent.
struct GateOptions {
  double max_drop = 0.05;            ///< a smaller drop never fails
  double alpha = 0.05;               ///< chance of a false alarm over the whole gate
  double power = 0.8;                ///< with which `detectable` must be found
  double detectable = 0.2;           ///< a cell that would miss a drop of this size is inconclusive
  bool allow_fewer_samples = false;  ///< the run may have only some of the baseline's samples
  /// The baseline's variant whose checkpoint the run's served variants have, where the run does not
  /// say it; empty: its base, for a served variant that is its model's base.
  std::string served_as{};
};

/// What became of one cell.
enum class GateOutcome { kPass, kRegression, kInconclusive, kNotMeasured };

/// "pass", "regression", "inconclusive", "not measured".
std::string gate_outcome_name(GateOutcome outcome);

/// One cell of the baseline against the same cell of the run.
struct GateCell {
  std::string kind;
  std::string model;
  std::string variant;  ///< name, not fingerprint: the weights are expected to differ
  std::string current;  ///< fingerprint of the run's variant; empty where it has none
  std::string task;
  std::int64_t length = 0;
  PairCounts pairs;     ///< first: baseline, second: this run
  double p = 1;         ///< exact one-sided McNemar: this run is worse
  double adjusted = 1;  ///< by Holm; comparable with GateOptions::alpha
  /// The smallest drop that this n would show, by the whole rule (Holm, max_drop), were it the only
  /// cell to drop and as many samples gained as `pairs` has of noise.
  std::optional<double> detectable;
  /// Change of the right value's log-probability in nats; its interval holds for all cells at once.
  std::optional<MeanChange> log_prob;
  GateOutcome outcome = GateOutcome::kNotMeasured;
  std::string reason;  ///< one sentence; empty for a pass
};

/// One depth band of a variant and task, all lengths together.
struct GateBand {
  std::string model;
  std::string variant;
  std::string task;
  double low = 0;  ///< percent
  double high = 0;
  PairCounts pairs;
  double p = 1;
  double adjusted = 1;
  bool regression = false;
};

/// The gate's verdict.
struct Verdict {
  GateOptions options;
  std::vector<GateCell> cells;  ///< in the baseline's order
  std::int64_t cell_tests = 0;  ///< cells that have pairs: over so many Holm adjusts
  std::vector<GateBand> bands;
  std::vector<std::string> notes;  ///< what was not compared or computed alike, and why
  bool is_mixed = false;  ///< something that was run here was compared with a served variant

  /// kCheckFailed when recall was lost; else kNotMeasured when a cell has no measurement or nothing
  /// was compared; else kInconclusive when a cell's evidence is too thin; else kOk.
  ExitCode exit_code() const;
};

/// Compares the run with the baseline, sample by sample; variants are matched as pair_variants()
/// says. A cell or depth band fails only on a drop that is significant (exact one-sided McNemar;
/// Holm within cells and within bands, which share alpha equally) and larger than max_drop. A cell
/// that could not be measured, or only in part, never passes; one that adaptive sampling ended
/// earlier is compared on the samples that both have. What was computed otherwise (device, dtype,
/// processor) is said in the notes. Throws DataError when the two were not asked the same:
/// protocol, seed, tokenizer, haystack or prompts differ.
Verdict gate(const Results& baseline, const Results& current, const GateOptions& options = {});

/// The verdict for a job's summary page.
std::string gate_markdown(const Verdict& verdict);

/// One line a cell and a regressed band, worst first, for a terminal or a log; many inconclusive
/// cells share one.
std::string gate_lines(const Verdict& verdict);

}  // namespace niah::reports
