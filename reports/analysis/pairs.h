// Samples that several variants were measured on.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "reports/analysis/cells.h"

namespace niah::reports {

/// Gives `visit` the samples of equal index and equal prompt that are scored in all of `cells`, one
/// of each cell in their order, by ascending index. At least one cell.
void for_each_match(const std::vector<const Cell*>& cells,
                    const std::function<void(const std::vector<const Outcome*>&)>& visit);

/// How two variants did on the samples that both were measured on.
struct PairCounts {
  std::int64_t both = 0;
  std::int64_t only_first = 0;
  std::int64_t only_second = 0;
  std::int64_t neither = 0;

  std::int64_t n() const { return both + only_first + only_second + neither; }
  std::int64_t first_hits() const { return both + only_first; }
  std::int64_t second_hits() const { return both + only_second; }
  /// Pairs that differ for no reason but noise, in either direction: the lesser of the two. What a
  /// drop would have to stand out from.
  std::int64_t noise() const { return only_first < only_second ? only_first : only_second; }
  /// Recall of either; only for n() > 0.
  double first_recall() const {
    return static_cast<double>(first_hits()) / static_cast<double>(n());
  }
  double second_recall() const {
    return static_cast<double>(second_hits()) / static_cast<double>(n());
  }
  /// Recall of the second less that of the first; only for n() > 0.
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

/// The same in `bands` bands of depth, as depth_bands has them.
std::vector<PairCounts> pair_samples_by_band(const Cell& first, const Cell& second,
                                             int bands = kDepthBands);

/// By how much the log-probability of the right value changed, second less first in nats, on each
/// sample that both were scored on. It moves before recall does: a value can become less likely
/// long before another one is said.
std::vector<double> log_prob_changes(const Cell& first, const Cell& second);

}  // namespace niah::reports
