// The nightly gate: did this run lose recall against a baseline?
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"
#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// A larger or smaller drop than GateOptions::max_drop that never fails, for a task or one cell.
struct Tolerance {
  std::string task;
  std::int64_t length = 0;  ///< 0: at every length, and in depth bands
  double max_drop = 0;
};

/// When a drop fails the gate, and when there is too little evidence. Shares, not percent.
struct GateOptions {
  double max_drop = 0.05;   ///< a drop of this size or less never fails
  double alpha = 0.05;      ///< probability of a false alarm over the whole gate
  double power = 0.8;       ///< probability with which a drop of `detectable` must be found
  double detectable = 0.2;  ///< a cell that cannot detect a drop of this size is inconclusive
  bool allow_fewer_samples = false;  ///< accept a run that lacks some of the baseline's samples
  /// Refuse a run that was computed on another device or in another dtype, instead of a note.
  bool require_same_arithmetic = false;
  /// The baseline's variant whose checkpoint the run's served variants serve, for those that do not
  /// name it. If empty, a served variant with the role base is compared with the baseline's base.
  std::string served_as{};
  std::vector<Tolerance> tolerances{};
  bool inconclusive_passes = false;  ///< what n does not suffice for is exit 0, and said
  /// With so many baselines is this run compared: `alpha` is for all of them together, and each
  /// comparison gets an equal part.
  std::int64_t comparisons = 1;

  /// The drop that never fails in a cell, or with length 0 in a task's depth bands.
  double max_drop_of(std::string_view task, std::int64_t length) const;
};

/// The result of one cell.
enum class GateOutcome { kPass, kRegression, kInconclusive, kNotMeasured };

/// "pass", "regression", "inconclusive", "not measured".
std::string gate_outcome_name(GateOutcome outcome);

/// A sample that one of the two runs answered right and the other did not.
struct TurnedSample {
  std::int64_t index = 0;
  double depth = 0;  ///< requested depth, percent
  /// What had to be found and what either run said; empty where that is not known (evidence.h).
  std::string expected{}, before{}, now{};
};

/// One cell of the baseline compared with the same cell of the run.
struct GateCell {
  std::string kind;
  std::string model;
  std::string variant;   ///< name, not fingerprint: the weights are expected to differ
  std::string baseline;  ///< fingerprint of the baseline's variant
  std::string current;   ///< fingerprint of the run's variant; empty if the run has none
  std::string task;
  std::int64_t length = 0;
  PairCounts pairs;     ///< first: baseline, second: this run
  double p = 1;         ///< exact one-sided McNemar: the run is worse
  double adjusted = 1;  ///< p after Holm's correction; to be compared with GateOptions::alpha
  /// The smallest drop that this n detects by the whole rule (Holm, max_drop), assuming that no
  /// other cell drops and that `pairs.noise()` samples gain; nullopt if none is.
  std::optional<double> detectable;
  /// Change in the expected value's log-probability, in nats. The intervals of all cells hold
  /// simultaneously.
  std::optional<MeanChange> log_prob;
  std::vector<TurnedSample> lost, gained;  ///< by ascending index
  std::optional<double> seconds;  ///< that the run spent on it; nullopt if unknown (evidence.h)
  GateOutcome outcome = GateOutcome::kNotMeasured;
  std::string reason;  ///< one sentence; empty for a pass
};

/// One depth band of a variant and task, over all lengths.
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

/// One of the two runs that are compared.
struct GateSide {
  std::string place;     ///< the run folder or results.json; empty if unknown
  std::string finished;  ///< ISO 8601 UTC
  /// For each compared variant its name, label, checkpoint and hashes, in words.
  std::vector<std::string> variants;
  std::string arithmetic{};  ///< "fp32 on cpu"; empty if unknown
};

/// The gate's verdict.
struct Verdict {
  GateOptions options;
  GateSide baseline, current;
  std::vector<GateCell> cells;  ///< in the baseline's order
  std::int64_t cell_tests = 0;  ///< cells that have pairs: over so many Holm adjusts
  std::vector<GateBand> bands;
  std::vector<std::string> notes;  ///< what was not compared or not computed alike, and why
  bool is_mixed = false;           ///< some pair compares a local with a served variant
  std::string page{};              ///< path of the page that shows it; empty if there is none

  /// The worst of all cells and depth bands: kRegression if recall was lost; else kNotMeasured if a
  /// cell was not measured or nothing was compared; else kInconclusive; else kPass.
  GateOutcome outcome() const;
  /// The same as kCheckFailed, kNotMeasured, kInconclusive, unless that passes by the options, kOk.
  ExitCode exit_code() const;
  /// Whether some cell is inconclusive, and nothing is worse.
  bool is_inconclusive() const;
};

/// Compares the run with the baseline, sample by sample; variants are matched by pair_variants(). A
/// cell or depth band fails only on a drop that is significant (exact one-sided McNemar; Holm
/// within cells and within bands, which share alpha equally) and larger than max_drop. A cell that
/// could not be measured, or only in part, never passes; one that adaptive sampling ended earlier
/// than the baseline's is compared on the samples that both have. Differences in device, dtype or
/// processor are reported in the notes. Throws DataError if protocol, seed, tokenizer, haystack or
/// prompts differ, if a tolerance is of no cell, if the run has none of the baseline's variants,
/// and by `require_same_arithmetic`.
Verdict gate(const Results& baseline, const Results& current, const GateOptions& options = {});

/// The verdict as Markdown, for a CI job's summary page. From `file`, where it will be written, its
/// link to the page counts.
std::string gate_markdown(const Verdict& verdict, const std::filesystem::path& file = {});

/// The same for a comparison that was refused: the first line has the reason.
std::string refusal_markdown(const std::string& reason, const std::string& page = "",
                             const std::filesystem::path& file = {});

/// One line a cell and a regressed band, worst first, for a terminal or a log; many inconclusive
/// cells share one.
std::string gate_lines(const Verdict& verdict);

/// The same with the verdict itself on top, for a report that goes on below it.
std::string gate_report(const Verdict& verdict);

}  // namespace niah::reports
