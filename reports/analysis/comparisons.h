// Variants against each other, always on the same samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/pairs.h"
#include "reports/analysis/results.h"
#include "reports/analysis/served.h"
#include "reports/analysis/statistics.h"

namespace niah::reports {

/// How a difference has to show to be taken for one, here and wherever variants of one run are
/// compared.
inline constexpr double kComparisonAlpha = 0.05;
inline constexpr double kComparisonPower = 0.8;
/// What would miss a drop of this size says nothing about losses.
inline constexpr double kCoarsestUsefulDrop = 1.0 / 3;
/// A drop that looks this large without being significant asks for more samples.
inline constexpr double kSuspiciousDrop = 0.1;

/// The rule by which a difference is found in one of so many cells: two-sided, since a variant may
/// gain as well.
DropRule comparison_rule(std::size_t cells);

/// A variant against a reference in one cell.
struct Comparison {
  std::string kind;
  std::string task;
  std::int64_t length = 0;
  std::string reference;  ///< fingerprint; the first of the pairs
  std::string variant;    ///< fingerprint; the second of the pairs
  PairCounts pairs;
  double p = 1;         ///< exact two-sided McNemar
  double adjusted = 1;  ///< by Holm, over the cells of this variant and reference
  /// The smallest drop that this n would show with probability 0.8 (significant after Holm), were
  /// it the only cell to drop and as many samples gained as `pairs` has of noise; nullopt when not
  /// even a total loss would show.
  std::optional<double> detectable;
  std::optional<MeanChange> log_prob;  ///< of the right value, in nats, with its 95 % interval
};

/// What a restoration brought back in one cell, on the samples that base, fine-tune and restoration
/// were all measured on.
struct Recovery {
  enum class Verdict {
    kNoLoss,     ///< the fine-tune lost nothing that n would show
    kTooFew,     ///< n is too small to tell whether it lost something
    kRecovered,  ///< it lost, and `recovered` says how much came back
  };
  std::string model;
  std::string task;
  std::int64_t length = 0;
  std::string base;  ///< fingerprints
  std::string sft;
  std::string restored;
  HitPatterns patterns{};
  double p = 1;                      ///< exact two-sided McNemar: base and fine-tune differ
  double adjusted = 1;               ///< by Holm, over the cells of this restoration
  std::optional<double> detectable;  ///< the smallest loss that this n would show, as above
  Verdict verdict = Verdict::kTooFew;
  std::optional<Recovered> recovered;

  std::int64_t n() const;
  PairCounts base_and_sft() const;
  double base_recall() const;  ///< only for n() > 0, as the next two
  double sft_recall() const;
  double restored_recall() const;
};

/// How a variant's recall moves with the context's length and the needle's depth in one task.
struct TaskTrend {
  std::string variant;  ///< fingerprint
  std::string task;
  std::optional<Trend> by_length;  ///< dose: log2 of the nominal length
  std::optional<Trend> by_depth;   ///< dose: requested depth; all lengths together
  std::optional<std::int64_t> effective_length;
};

/// All that is computed across cells.
struct Analysis {
  std::vector<Comparison> comparisons;
  std::vector<Recovery> recoveries;
  std::vector<TaskTrend> trends;
  std::vector<ServedComparison> served;  ///< one a served variant, in the run's order

  /// The comparison of that variant and reference in that cell, or nullptr.
  const Comparison* find(const Cell& cell, const std::string& reference) const;
};

/// Compares each variant with its reference, each restoration with its fine-tune, and each served
/// variant with its checkpoint; says what restorations recovered; tests trends. Deterministic.
Analysis analyse(const Results& results);

}  // namespace niah::reports
