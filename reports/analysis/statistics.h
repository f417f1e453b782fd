// Statistics of hits and misses. Pure functions; the tests on pairs are exact, also for small
// samples.
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

/// McNemar's exact test on pairs (McNemar 1947): the two-sided p-value under the null hypothesis
/// that a hit of only the first and a hit of only the second are equally likely. 1 if no pair
/// differs.
double mcnemar_two_sided(std::int64_t only_first, std::int64_t only_second);

/// The one-sided form: the probability of at least `losses` losses among `losses + gains` differing
/// pairs if both directions are equally likely.
double mcnemar_one_sided(std::int64_t losses, std::int64_t gains);

/// P-values adjusted by Holm's step-down method (Holm 1979), in the order given.
std::vector<double> holm(const std::vector<double>& p_values);

/// The rule for detecting a drop among paired samples: the exact McNemar test is significant after
/// Holm's adjustment, and the drop is larger than `max_drop`. The gate and the comparisons decide
/// by this rule, and every stated detectable drop is computed from it.
struct DropRule {
  double alpha = 0.05;     ///< probability of a false alarm, over the whole family
  std::int64_t tests = 1;  ///< number of tests in the family
  /// Multiplies the one-sided p-value in addition to Holm: 2 for a two-sided test, or for a family
  /// that gets half of alpha.
  double factor = 1;
  double max_drop = 0;  ///< a share; a drop of this size or less never counts

  /// The one-sided p-value at or below which a test is significant whatever the other tests give:
  /// Holm's strictest step.
  double level() const { return alpha / factor / static_cast<double>(tests); }
  /// Whether `losses` and `gains` among `n` pairs amount to a drop larger than max_drop.
  bool is_large(std::int64_t losses, std::int64_t gains, std::int64_t n) const {
    return n > 0 && static_cast<double>(losses - gains) / static_cast<double>(n) > max_drop;
  }
};

/// The power of a DropRule on `n` pairs, at Holm's strictest step, as for a drop in one test only.
class DropPower {
 public:
  DropPower(std::int64_t n, const DropRule& rule);

  /// Probability that the drop is detected if each pair is a loss with probability `loss_rate` and
  /// a gain with probability `gain_rate`.
  double at(double loss_rate, double gain_rate) const;
  /// The smallest net drop (loss rate - gain rate) that is detected with probability `power`;
  /// nullopt if not even the largest possible drop is.
  std::optional<double> smallest_drop(double power, double gain_rate) const;

 private:
  std::int64_t n_;
  /// Indexed by the number of differing pairs: the fewest losses among them that are detected;
  /// larger than the index if none are.
  std::vector<std::int64_t> fewest_losses_;
};

/// DropPower::smallest_drop for many cells, computed once for each n and gain rate.
class DetectableDrops {
 public:
  DetectableDrops(const DropRule& rule, double power) : rule_(rule), power_(power) {}
  /// For `n` pairs, each of which is a gain with probability `gains` / n.
  std::optional<double> at(std::int64_t n, std::int64_t gains);

 private:
  DropRule rule_;
  double power_;
  std::map<std::int64_t, DropPower> by_n_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::optional<double>> known_;
};

/// The number of samples with each pattern of hits in (base, sft, restored); the index is 4*base +
/// 2*sft + restored.
using HitPatterns = std::array<std::int64_t, 8>;

/// A recovered fraction with its interval; an end is nullopt where resampling finds it unbounded.
struct Recovered {
  double fraction = 0;
  std::optional<double> low;
  std::optional<double> high;
  bool operator==(const Recovered&) const = default;
};

/// (restored - sft) / (base - sft) of the hit counts, with a 95 % percentile bootstrap interval
/// over the paired samples (Efron 1979): 2000 resamples from a fixed seed, so the same counts give
/// the same interval on every machine. A resample without a loss has an unbounded fraction. The
/// interval also covers Wilson's of the share of lost samples that came back: a few samples that
/// are all alike resample to themselves, which is no certainty. nullopt if base is not above sft.
std::optional<Recovered> recovered_fraction(const HitPatterns& patterns);

/// Hits among n at one dose (a length, a depth).
struct Dose {
  double dose = 0;
  std::int64_t hits = 0;
  std::int64_t n = 0;
};

/// A trend: z > 0 if hits become more frequent with the dose.
struct Trend {
  double z = 0;
  double p = 1;  ///< two-sided
};

/// The Cochran-Armitage test for a trend in proportions (Armitage 1955; the variance divides by N).
/// nullopt if there is nothing to test: fewer than two doses, or all samples hits or all misses.
std::optional<Trend> cochran_armitage(const std::vector<Dose>& doses);

/// Hits among n.
struct Share {
  std::int64_t hits = 0;
  std::int64_t n = 0;
  /// These two require n > 0.
  double value() const { return static_cast<double>(hits) / static_cast<double>(n); }
  Interval interval() const { return wilson_interval(hits, n); }
};

/// The bar that recall has to reach for a context length to count as an effective one.
inline constexpr double kEffectiveRecall = 0.85;

/// By how much recall at a length is over the bar, with a 95 % interval.
struct OverBar {
  std::int64_t length = 0;
  double margin = 0;
  Interval interval;
};

/// Over a recall of kEffectiveRecall, with Wilson's interval.
OverBar over_bar(std::int64_t length, const Share& recall);
/// Over kEffectiveRecall times base's recall, with the interval of such a difference from Wilson's
/// of both (Newcombe 1998, which takes them as unpaired and so errs on the wide side). Where base
/// finds nothing, nothing is over the bar.
OverBar over_bar(std::int64_t length, const Share& recall, const Share& base);

/// The longest length up to which recall reaches the bar, and the longest up to which all and any of
/// its interval does; nullopt where not even the shortest length is reached.
struct EffectiveLength {
  std::optional<std::int64_t> length, low, high;
  bool operator==(const EffectiveLength&) const = default;
};

/// `lengths` is ascending in length.
EffectiveLength effective_length(const std::vector<OverBar>& lengths);

/// The mean of paired differences with Student's t interval around it.
struct MeanChange {
  double mean = 0;
  Interval interval;
  std::int64_t n = 0;
  bool operator==(const MeanChange&) const = default;
};

/// The mean of `differences` with its interval. nullopt for fewer than two, which have no spread.
std::optional<MeanChange> mean_change(const std::vector<double>& differences,
                                      double confidence = 0.95);

/// The middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

}  // namespace niah::reports
