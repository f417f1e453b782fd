// Statistics of hits and misses. Pure functions of counts; exact where a sample is small.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace niah::reports {

/// A closed interval.
struct Interval {
  double low = 0;
  double high = 0;
  bool operator==(const Interval&) const = default;
};

/// Wilson's score interval of a proportion (Wilson 1927), without continuity correction. `n` must
/// be positive.
Interval wilson_interval(std::int64_t hits, std::int64_t n, double confidence = 0.95);

/// McNemar's exact test on pairs (McNemar 1947): two-sided p-value that hits of only the first and
/// hits of only the second are equally likely. 1 when no pair differs.
double mcnemar_two_sided(std::int64_t only_first, std::int64_t only_second);

/// The one-sided form: probability of at least `losses` losses among `losses + gains` pairs that
/// differ, were both directions equally likely.
double mcnemar_one_sided(std::int64_t losses, std::int64_t gains);

/// P-values adjusted for the family by Holm's step-down method (Holm 1979), in the given order.
std::vector<double> holm(const std::vector<double>& p_values);

/// Probability that the one-sided exact McNemar test at `alpha` finds a loss, when each of `n`
/// pairs is a loss with `loss_rate` and a gain with `gain_rate`.
double mcnemar_power(std::int64_t n, double loss_rate, double gain_rate, double alpha);

/// The smallest net drop (loss rate - gain rate) that the one-sided exact McNemar test at `alpha`
/// finds with probability `power` in `n` pairs; nullopt when not even a total loss would be found.
std::optional<double> minimum_detectable_drop(std::int64_t n, double alpha, double power,
                                              double gain_rate = 0);

/// minimum_detectable_drop for many cells: worked out once for each n.
class DetectableDrops {
 public:
  DetectableDrops(double alpha, double power) : alpha_(alpha), power_(power) {}
  std::optional<double> at(std::int64_t n);

 private:
  double alpha_, power_;
  std::map<std::int64_t, std::optional<double>> known_;
};

/// How many samples had each pattern of hits in (base, sft, restored): the index is
/// 4*base + 2*sft + restored.
using HitPatterns = std::array<std::int64_t, 8>;

/// A recovered fraction; an end of the interval is missing where resampling finds it unbounded.
struct Recovered {
  double fraction = 0;
  std::optional<double> low;
  std::optional<double> high;
  bool operator==(const Recovered&) const = default;
};

/// (restored - sft) / (base - sft) of the hit counts, with a 95 % percentile bootstrap interval
/// over the paired samples (Efron 1979): 2000 resamples from a fixed seed, so the same counts give
/// the same interval on every machine. A resample without a loss has an unbounded fraction. nullopt
/// when base is not above sft.
std::optional<Recovered> recovered_fraction(const HitPatterns& patterns);

/// Hits among n at one dose (a length, a depth).
struct Dose {
  double dose = 0;
  std::int64_t hits = 0;
  std::int64_t n = 0;
};

/// A trend: z > 0 when hits become more frequent with the dose.
struct Trend {
  double z = 0;
  double p = 1;  ///< two-sided
};

/// The Cochran-Armitage test for a trend in proportions (Armitage 1955, with its variance over N).
/// nullopt when there is nothing to test: fewer than two doses, or all samples alike.
std::optional<Trend> cochran_armitage(const std::vector<Dose>& doses);

/// A recall at a length.
struct RecallAt {
  std::int64_t length = 0;
  double recall = 0;
};

/// The longest length up to which recall stays at or above `keep` times its value at the shortest
/// length. `recalls` is ascending in length. nullopt when it is empty or starts at zero recall.
std::optional<std::int64_t> effective_length(const std::vector<RecallAt>& recalls,
                                             double keep = 0.85);

/// The mean of paired differences with Student's t interval around it.
struct MeanChange {
  double mean = 0;
  Interval interval;
  std::int64_t n = 0;
  bool operator==(const MeanChange&) const = default;
};

/// nullopt for fewer than two differences: one says nothing of how they spread.
std::optional<MeanChange> mean_change(const std::vector<double>& differences,
                                      double confidence = 0.95);

/// The middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

}  // namespace niah::reports
