// Comparisons between variants, always on the same samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reports/analysis/pairs.h"
#include "reports/analysis/results.h"
#include "reports/analysis/served.h"
#include "reports/analysis/statistics.h"

namespace niah::reports {

/// Significance level of the comparisons between the variants of one run.
inline constexpr double kComparisonAlpha = 0.05;
/// Probability with which a drop must be found for it to count as detectable.
inline constexpr double kComparisonPower = 0.8;
/// A cell that could not detect a drop of this size counts as too small to tell.
inline constexpr double kCoarsestUsefulDrop = 1.0 / 3;
/// An insignificant drop larger than this is reported as "too few samples", not as "no loss".
inline constexpr double kSuspiciousDrop = 0.1;

/// The rule that decides whether one of `cells` cells differs. Two-sided, since a variant may also
/// gain.
DropRule comparison_rule(std::size_t cells);

/// What pairs of samples say about recall. Reports call recall lost, gained or kept by this rule
/// alone.
enum class Change {
  kLost,    ///< it fell, significantly after Holm's adjustment
  kGained,  ///< it rose, likewise
  kNoLoss,  ///< no loss was found, and n is large enough to find one
  kTooFew,  ///< n is too small to tell
};

/// The change of the second of the pairs against the first. `adjusted` is the p-value after Holm,
/// `detectable` the smallest drop that would be found.
Change change_of(const PairCounts& pairs, double adjusted, const std::optional<double>& detectable);

/// A variant compared with its reference in one cell.
struct Comparison {
  std::string kind;
  std::string task;
  std::int64_t length = 0;
  std::string reference;  ///< fingerprint; first in `pairs`
  std::string variant;    ///< fingerprint; second in `pairs`
  PairCounts pairs;
  double p = 1;         ///< exact two-sided McNemar
  double adjusted = 1;  ///< p after Holm's correction over all cells of this variant and reference
  /// The smallest drop that this n detects with probability kComparisonPower (significant after
  /// Holm), assuming that no other cell drops and that `pairs.noise()` samples gain; nullopt if not
  /// even a total loss would be detected.
  std::optional<double> detectable;
  std::optional<MeanChange> log_prob;  ///< expected value's change in nats, with 95 % interval

  Change change() const { return change_of(pairs, adjusted, detectable); }
};

/// What a restoration recovered in one cell, on the samples scored for base, fine-tune and
/// restoration alike.
struct Recovery {
  enum class Verdict {
    kNoLoss,     ///< no loss by the fine-tune was found, and n is large enough to detect one
    kGained,     ///< the fine-tune gained recall, so there is nothing to bring back
    kTooFew,     ///< n is too small to tell whether the fine-tune lost recall
    kRecovered,  ///< it lost recall; `recovered` says how much came back
  };
  std::string model;
  std::string task;
  std::int64_t length = 0;
  std::string base;  ///< fingerprints
  std::string sft;
  std::string restored;
  HitPatterns patterns{};
  double p = 1;         ///< exact two-sided McNemar, base against fine-tune
  double adjusted = 1;  ///< p after Holm's correction over all cells of this restoration
  std::optional<double> detectable;  ///< smallest loss that this n detects, as in Comparison
  Verdict verdict = Verdict::kTooFew;
  std::optional<Recovered> recovered;

  /// The number of samples in `patterns`.
  std::int64_t n() const;
  /// The same samples as pairs: base first, fine-tune second.
  PairCounts base_and_sft() const;
  double base_recall() const;  ///< these three require n() > 0
  double sft_recall() const;
  double restored_recall() const;
};

/// What putting a part of the weights back brought back over all cells together.
struct PartEffect {
  std::string variant;  ///< fingerprint
  std::string part;     ///< as methods spell it: "q, k", "mlp layers 2"
  Recovered recovered;
};

/// One step of a path.
struct PathStep {
  PartEffect effect;      ///< of all parts put back by then
  std::string added;      ///< the part that this step adds
  std::size_t asked = 0;  ///< of how many parts it brought back the most
  /// McNemar's exact two-sided test against the step before, over all cells together, times
  /// `asked`; 1 of the first step.
  double p = 1;
};

/// Parts put back one after the other, each time the one that then brought back the most.
struct PartPath {
  std::vector<PathStep> steps;
  bool nothing_adds = false;           ///< nothing asked beside the last step brought back more
  std::set<std::string> asked_for_it;  ///< fingerprints of what was asked after the first step

  /// Whether anything was asked beside the first part; if not, there is nothing to tell.
  bool is_followed() const { return !asked_for_it.empty(); }
};

/// The effects of one model's parts.
struct Attribution {
  std::string model;
  std::vector<PartEffect> alone;    ///< the part alone was put back; the most first
  std::vector<PartEffect> all_but;  ///< everything but the part was; in the run's order
  PartPath path;

  /// What everything but `part` brought back; nullptr if that was not asked.
  const PartEffect* without(const std::string& part) const;
};

/// How a variant's recall in one task changes with context length and needle depth.
struct TaskTrend {
  std::string variant;  ///< fingerprint
  std::string task;
  std::optional<Trend> by_length;  ///< dose: log2 of the nominal length
  std::optional<Trend> by_depth;   ///< dose: requested depth, over all lengths
  EffectiveLength effective;
  /// Whether the bar of `effective` is a share of the base model's recall at the same length: where
  /// that is below the bar itself already at the shortest.
  bool is_effective_of_base = false;
};

/// Everything that is computed across cells.
struct Analysis {
  std::vector<Comparison> comparisons;
  std::vector<Recovery> recoveries;
  std::vector<Attribution> attributions;
  std::vector<TaskTrend> trends;
  std::vector<ServedComparison> served;  ///< one per served variant, in the run's order

  /// The comparison of `cell`'s variant with `reference` (a fingerprint) in that cell, or nullptr.
  const Comparison* find(const Cell& cell, const std::string& reference) const;
};

/// Compares each variant with its reference, each restoration with its fine-tune, and each served
/// variant with its checkpoint; computes what restorations recovered; tests for trends.
/// Deterministic.
Analysis analyse(const Results& results);

/// Whether several cells together show what no single one may show.
bool is_significant_together(const PairCounts& pairs);

/// What a restoration (a fingerprint) recovered over all cells together; nullopt if together they
/// show no significant loss.
std::optional<Recovered> pooled_recovery(const std::vector<Recovery>& recoveries,
                                         const std::string& restored);

}  // namespace niah::reports
