#include "reports/analysis/statistics.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "harness/base/error.h"

namespace niah::reports {
namespace {

using boost::math::normal;
// Long doubles would take four times as long, for digits that nobody sees.
using InDoubles = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
using binomial = boost::math::binomial_distribution<double, InDoubles>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// P(X >= k) for X of n trials with probability p.
double binomial_upper_tail(std::int64_t n, double p, std::int64_t k) {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  return boost::math::cdf(
      boost::math::complement(binomial(static_cast<double>(n), p), static_cast<double>(k - 1)));
}

double two_sided_normal_p(double z) {
  return 2 * boost::math::cdf(boost::math::complement(normal(), std::abs(z)));
}

/// A counter-based stream of 64-bit numbers (SplitMix64; Steele, Lea and Flood 2014).
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  /// A number below `bound`: the high half of the 128-bit product. `bound` is far below 2^64, so
  /// the bias is negligible.
  std::size_t below(std::size_t bound) {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

 private:
  std::uint64_t state_;
};

struct Gain {
  std::int64_t lost = 0;       ///< base - sft, in hits
  std::int64_t recovered = 0;  ///< restored - sft, in hits
  double fraction() const {
    if (lost > 0) return static_cast<double>(recovered) / static_cast<double>(lost);
    return recovered >= 0 ? kInfinity : -kInfinity;
  }
};

Gain gain_of(std::size_t pattern) {
  const auto base = static_cast<std::int64_t>(pattern >> 2 & 1);
  const auto sft = static_cast<std::int64_t>(pattern >> 1 & 1);
  const auto restored = static_cast<std::int64_t>(pattern & 1);
  return {base - sft, restored - sft};
}

std::optional<double> if_finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

}  // namespace

Interval wilson_interval(std::int64_t hits, std::int64_t n, double confidence) {
  check(n > 0 && hits >= 0 && hits <= n, "Wilson interval of impossible counts");
  const double z = boost::math::quantile(normal(), 0.5 + confidence / 2);
  const auto size = static_cast<double>(n);
  const double p = static_cast<double>(hits) / size;
  const double shrink = 1 + z * z / size;
  const double centre = (p + z * z / (2 * size)) / shrink;
  const double half = z / shrink * std::sqrt(p * (1 - p) / size + z * z / (4 * size * size));
  // At 0 and n hits the formula gives 0 and 1 only up to rounding.
  return {hits == 0 ? 0 : centre - half, hits == n ? 1 : centre + half};
}

double mcnemar_two_sided(std::int64_t only_first, std::int64_t only_second) {
  const std::int64_t differing = only_first + only_second;
  return std::min(1.0, 2 * binomial_upper_tail(differing, 0.5, std::max(only_first, only_second)));
}

double mcnemar_one_sided(std::int64_t losses, std::int64_t gains) {
  return binomial_upper_tail(losses + gains, 0.5, losses);
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double floor = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto remaining = static_cast<double>(order.size() - rank);
    floor = std::max(floor, std::min(1.0, remaining * p_values[order[rank]]));
    adjusted[order[rank]] = floor;
  }
  return adjusted;
}

DropPower::DropPower(std::int64_t n, const DropRule& rule) : n_(std::max<std::int64_t>(n, 0)) {
  fewest_losses_.reserve(static_cast<std::size_t>(n_) + 1);
  const auto pairs = static_cast<double>(n_);
  std::int64_t significant = 0;  // never decreases as more pairs differ
  for (std::int64_t differing = 0; differing <= n_; ++differing) {
    while (binomial_upper_tail(differing, 0.5, significant) > rule.level()) ++significant;
    // Start just below the fewest losses that make a large drop; is_large() settles rounding.
    const double large = (static_cast<double>(differing) + rule.max_drop * pairs) / 2;
    std::int64_t fewest = std::max(significant, static_cast<std::int64_t>(large) - 1);
    while (fewest <= differing && !rule.is_large(fewest, differing - fewest, n_)) ++fewest;
    fewest_losses_.push_back(fewest);
  }
}

double DropPower::at(double loss_rate, double gain_rate) const {
  const double differ_rate = std::min(1.0, loss_rate + gain_rate);
  if (n_ <= 0 || differ_rate <= 0) return 0;
  const double loss_share = loss_rate / (loss_rate + gain_rate);
  const auto found = [&](std::int64_t differing) {
    const std::int64_t fewest = fewest_losses_[static_cast<std::size_t>(differing)];
    return binomial_upper_tail(differing, loss_share, fewest);
  };
  if (differ_rate >= 1) return found(n_);
  // Sum over the number of differing pairs, from the likeliest number outwards in both directions
  // until the weights are negligible.
  constexpr double kNoWeight = 1e-18;
  const auto n = static_cast<double>(n_);
  const double odds = differ_rate / (1 - differ_rate);
  const auto likeliest = static_cast<std::int64_t>(n * differ_rate);
  const double at_likeliest =
      boost::math::pdf(binomial(n, differ_rate), static_cast<double>(likeliest));
  double power = 0;
  double weight = at_likeliest;
  for (std::int64_t d = likeliest; d <= n_ && weight > kNoWeight; ++d) {
    power += weight * found(d);
    weight *= static_cast<double>(n_ - d) / static_cast<double>(d + 1) * odds;
  }
  weight = at_likeliest;
  for (std::int64_t d = likeliest; d > 0 && weight > kNoWeight; --d) {
    weight *= static_cast<double>(d) / static_cast<double>(n_ - d + 1) / odds;
    power += weight * found(d - 1);
  }
  return power;
}

std::optional<double> DropPower::smallest_drop(double power, double gain_rate) const {
  const auto shortfall = [&](double drop) { return at(drop + gain_rate, gain_rate) - power; };
  const double highest = 1 - 2 * gain_rate;  // the loss and gain rates sum to at most 1
  if (highest <= 0 || shortfall(highest) < 0) return std::nullopt;
  if (shortfall(0) >= 0) return 0;  // only if alpha is close to 1
  std::uintmax_t steps = 200;
  const auto [low, high] = boost::math::tools::toms748_solve(
      shortfall, 0.0, highest, boost::math::tools::eps_tolerance<double>(44), steps);
  return high;
}

std::optional<double> DetectableDrops::at(std::int64_t n, std::int64_t gains) {
  const auto [place, is_new] = known_.try_emplace({n, gains});
  if (!is_new || n <= 0) return place->second;
  const DropPower& power = by_n_.try_emplace(n, n, rule_).first->second;
  place->second = power.smallest_drop(power_, static_cast<double>(gains) / static_cast<double>(n));
  return place->second;
}

std::optional<Recovered> recovered_fraction(const HitPatterns& patterns) {
  constexpr int kResamples = 2000;
  constexpr int kTail = 50;  // 2.5 % of the resamples
  std::vector<Gain> samples;
  Gain observed;
  for (std::size_t pattern = 0; pattern < patterns.size(); ++pattern) {
    const Gain gain = gain_of(pattern);
    samples.insert(samples.end(), static_cast<std::size_t>(patterns[pattern]), gain);
    observed.lost += gain.lost * patterns[pattern];
    observed.recovered += gain.recovered * patterns[pattern];
  }
  if (observed.lost <= 0) return std::nullopt;

  SplitMix64 random(0);
  std::vector<double> fractions;
  fractions.reserve(kResamples);
  for (int i = 0; i < kResamples; ++i) {
    Gain resample;
    for (std::size_t draw = 0; draw < samples.size(); ++draw) {
      const Gain& gain = samples[random.below(samples.size())];
      resample.lost += gain.lost;
      resample.recovered += gain.recovered;
    }
    fractions.push_back(resample.fraction());
  }
  std::sort(fractions.begin(), fractions.end());
  Recovered out{observed.fraction(), if_finite(fractions[kTail]),
                if_finite(fractions[kResamples - 1 - kTail])};
  const Interval of_the_lost = wilson_interval(patterns[5], patterns[4] + patterns[5]);
  if (out.low) out.low = std::min(*out.low, of_the_lost.low);
  if (out.high) out.high = std::max(*out.high, of_the_lost.high);
  return out;
}

std::optional<Trend> cochran_armitage(const std::vector<Dose>& doses) {
  double n = 0;
  double hits = 0;
  double weighted = 0;
  double squared = 0;
  double weighted_hits = 0;
  for (const Dose& dose : doses) {
    n += static_cast<double>(dose.n);
    hits += static_cast<double>(dose.hits);
    weighted += dose.dose * static_cast<double>(dose.n);
    squared += dose.dose * dose.dose * static_cast<double>(dose.n);
    weighted_hits += dose.dose * static_cast<double>(dose.hits);
  }
  if (n == 0) return std::nullopt;
  const double p = hits / n;
  const double spread = squared - weighted * weighted / n;
  const double variance = p * (1 - p) * spread;
  // Compared with the size of the terms, since equal doses leave a difference of rounding errors
  // only.
  if (p <= 0 || p >= 1 || spread <= 1e-9 * squared) return std::nullopt;
  const double z = (weighted_hits - p * weighted) / std::sqrt(variance);
  return Trend{z, two_sided_normal_p(z)};
}

OverBar over_bar(std::int64_t length, const Share& recall) {
  const Interval interval = recall.interval();
  return {length,
          recall.value() - kEffectiveRecall,
          {interval.low - kEffectiveRecall, interval.high - kEffectiveRecall}};
}

OverBar over_bar(std::int64_t length, const Share& recall, const Share& base) {
  const double bar = kEffectiveRecall * base.value();
  if (base.hits == 0) return {length, -1, {-1, -1}};
  const Interval own = recall.interval(), of_base = base.interval();
  const double above = kEffectiveRecall * of_base.high - bar;
  const double below = bar - kEffectiveRecall * of_base.low;
  const double margin = recall.value() - bar;
  return {length,
          margin,
          {margin - std::hypot(recall.value() - own.low, above),
           margin + std::hypot(own.high - recall.value(), below)}};
}

EffectiveLength effective_length(const std::vector<OverBar>& lengths) {
  constexpr double kRounding = 1e-9;
  const auto longest = [&](const auto& margin_of) {
    std::optional<std::int64_t> length;
    for (const OverBar& at : lengths) {
      if (margin_of(at) < -kRounding) break;
      length = at.length;
    }
    return length;
  };
  return {longest([](const OverBar& at) { return at.margin; }),
          longest([](const OverBar& at) { return at.interval.low; }),
          longest([](const OverBar& at) { return at.interval.high; })};
}

std::optional<MeanChange> mean_change(const std::vector<double>& differences, double confidence) {
  if (differences.size() < 2) return std::nullopt;
  const auto n = static_cast<double>(differences.size());
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
  double squares = 0;
  for (const double difference : differences) squares += (difference - mean) * (difference - mean);
  const double error = std::sqrt(squares / (n - 1) / n);
  const boost::math::students_t student(n - 1);
  const double reach = boost::math::quantile(student, 0.5 + confidence / 2) * error;
  return MeanChange{
      mean, {mean - reach, mean + reach}, static_cast<std::int64_t>(differences.size())};
}

double median(std::vector<double> values) {
  check(!values.empty(), "median of nothing");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace niah::reports
