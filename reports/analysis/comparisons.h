// Variants against each other, always on the same samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/analysis/statistics.h"

namespace niah::reports {

/// How two variants did on the samples that both were measured on.
struct PairCounts {
  std::int64_t both = 0;
  std::int64_t only_first = 0;
  std::int64_t only_second = 0;
  std::int64_t neither = 0;

  std::int64_t n() const { return both + only_first + only_second + neither; }
  /// Pairs that differ for no reason but noise, in either direction: the lesser of the two. What a
  /// drop would have to stand out from.
  std::int64_t noise() const { return only_first < only_second ? only_first : only_second; }
  /// Recall of the second less that of the first; only for n() > 0.
  double difference() const {
    return static_cast<double>(only_second - only_first) / static_cast<double>(n());
  }
  bool operator==(const PairCounts&) const = default;
  PairCounts& operator+=(const PairCounts& other) {
    both += other.both;
    only_first += other.only_first;
    only_second += other.only_second;
    neither += other.neither;
    return *this;
  }
};

/// Pairs scored samples of equal index and equal prompt.
PairCounts pair_samples(const Cell& first, const Cell& second);

/// The same in `bands` bands of depth, as depth_bands has them.
std::vector<PairCounts> pair_samples_by_band(const Cell& first, const Cell& second,
                                             int bands = kDepthBands);

/// By how much the log-probability of the right value changed, second less first in nats, on each
/// sample that both were scored on. It moves before recall does: a value can become less likely
/// long before another one is said.
std::vector<double> log_prob_changes(const Cell& first, const Cell& second);

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

  /// The comparison of that variant and reference in that cell, or nullptr.
  const Comparison* find(const Cell& cell, const std::string& reference) const;
};

/// Compares each variant with its reference, and each restoration with its fine-tune; says
/// what restorations recovered; tests trends. Deterministic.
Analysis analyse(const Results& results);

}  // namespace niah::reports
