// Statistics of hits and misses. Pure functions of counts; exact where a sample is small.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
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

/// The rule by which a drop is found among paired samples: the exact McNemar test is significant
/// after Holm's adjustment, and the drop is larger than `max_drop`. The gate and the comparisons
/// decide by it, and whatever says how small a drop n would show is computed from it.
struct DropRule {
  double alpha = 0.05;     ///< chance of a false alarm, over the whole family
  std::int64_t tests = 1;  ///< in the family
  /// What the one-sided p-value is multiplied by beside Holm: 2 for a two-sided test, or for a
  /// family that gets half of alpha.
  double factor = 1;
  double max_drop = 0;  ///< a share; a drop of this size or less is never found

  /// The largest one-sided p-value of one test that is found whatever the other tests say: Holm's
  /// strictest step.
  double level() const { return alpha / factor / static_cast<double>(tests); }
  /// Whether so many losses and gains among `n` pairs are a drop larger than max_drop.
  bool is_large(std::int64_t losses, std::int64_t gains, std::int64_t n) const {
    return n > 0 && static_cast<double>(losses - gains) / static_cast<double>(n) > max_drop;
  }
};

/// What `n` pairs show by a rule, at Holm's strictest step: a drop in one test while the others
/// stay as they are.
class DropPower {
 public:
  DropPower(std::int64_t n, const DropRule& rule);

  /// Probability that the drop is found, when each pair is a loss with `loss_rate` and a gain with
  /// `gain_rate`.
  double at(double loss_rate, double gain_rate) const;
  /// The smallest net drop (loss rate - gain rate) that is found with probability `power`; nullopt
  /// when not even the largest possible one would be.
  std::optional<double> smallest_drop(double power, double gain_rate) const;

 private:
  std::int64_t n_;
  /// The fewest losses that are found among so many pairs that differ; more than those where none
  /// are.
  std::vector<std::int64_t> fewest_losses_;
};

/// DropPower::smallest_drop for many cells: worked out once for each n and gain rate.
class DetectableDrops {
 public:
  DetectableDrops(const DropRule& rule, double power) : rule_(rule), power_(power) {}
  /// For `n` pairs of which each is a gain with probability `gains` / n.
  std::optional<double> at(std::int64_t n, std::int64_t gains);

 private:
  DropRule rule_;
  double power_;
  std::map<std::int64_t, DropPower> by_n_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::optional<double>> known_;
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

/// The recall that a context length has to keep to count as an effective one: of all needles at the
/// shortest length, and of the recall there at longer ones.
inline constexpr double kEffectiveRecall = 0.85;

/// The longest length up to which recall stays at or above `keep` times its value at the shortest
/// length. `recalls` is ascending in length. nullopt when it is empty or starts below `keep`: what
/// hardly finds anything has nothing to keep.
std::optional<std::int64_t> effective_length(const std::vector<RecallAt>& recalls,
                                             double keep = kEffectiveRecall);

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
