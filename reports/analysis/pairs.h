// Pairing of the samples that several variants were measured on.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "reports/analysis/cells.h"

namespace niah::reports {

/// Calls `visit` for every sample, by ascending index, that is scored with the same prompt in all
/// of `cells`; it gets the sample's outcome in each cell, in the order of `cells`. `cells` must not
/// be empty.
void for_each_match(const std::vector<const Cell*>& cells,
                    const std::function<void(const std::vector<const Outcome*>&)>& visit);

/// Hits and misses of two variants on the samples that both were measured on.
struct PairCounts {
  std::int64_t both = 0;
  std::int64_t only_first = 0;
  std::int64_t only_second = 0;
  std::int64_t neither = 0;

  std::int64_t n() const { return both + only_first + only_second + neither; }
  std::int64_t first_hits() const { return both + only_first; }
  std::int64_t second_hits() const { return both + only_second; }
  /// The number of pairs that differ by chance alone, per direction: the smaller of the two counts.
  /// A drop has to stand out from these.
  std::int64_t noise() const { return only_first < only_second ? only_first : only_second; }
  /// Recall of either variant. Requires n() > 0.
  double first_recall() const {
    return static_cast<double>(first_hits()) / static_cast<double>(n());
  }
  double second_recall() const {
    return static_cast<double>(second_hits()) / static_cast<double>(n());
  }
  /// Recall of the second minus that of the first. Requires n() > 0.
  double difference() const {
    return static_cast<double>(only_second - only_first) / static_cast<double>(n());
  }
  /// Counts one more pair.
  void add(bool in_first, bool in_second) {
    ++(in_first ? (in_second ? both : only_first) : (in_second ? only_second : neither));
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

/// The same for each of `bands` depth bands, as in depth_bands().
std::vector<PairCounts> pair_samples_by_band(const Cell& first, const Cell& second,
                                             int bands = kDepthBands);

/// The change in the log-probability of the expected value, second minus first in nats, for each
/// sample scored for both that has it on both sides. It changes before recall does: a value can
/// become less likely long before a different one is generated.
std::vector<double> log_prob_changes(const Cell& first, const Cell& second);

}  // namespace niah::reports
