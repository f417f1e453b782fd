#include "reports/analysis/comparisons.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <tuple>

#include "reports/analysis/attribution.h"
#include "reports/analysis/variant_labels.h"

namespace niah::reports {
namespace {

Comparison compare(const Cell& reference, const Cell& cell) {
  Comparison out;
  out.kind = cell.kind;
  out.task = cell.task;
  out.length = cell.length;
  out.reference = reference.variant;
  out.variant = cell.variant;
  out.pairs = pair_samples(reference, cell);
  out.p = mcnemar_two_sided(out.pairs.only_first, out.pairs.only_second);
  out.log_prob = mean_change(log_prob_changes(reference, cell));
  return out;
}

/// Adjusts the p-values of one family and computes the smallest detectable drop of each cell.
/// `pairs_of` returns an item's pairs.
template <typename Item, typename Pairs>
void adjust(const std::vector<Item*>& family, const Pairs& pairs_of) {
  std::vector<double> p_values;
  for (const Item* item : family) p_values.push_back(item->p);
  const std::vector<double> adjusted = holm(p_values);
  DetectableDrops drops(comparison_rule(family.size()), kComparisonPower);
  for (std::size_t i = 0; i < family.size(); ++i) {
    const PairCounts pairs = pairs_of(*family[i]);
    family[i]->adjusted = adjusted[i];
    family[i]->detectable = drops.at(pairs.n(), pairs.noise());
  }
}

/// A family is one question asked of all cells: one variant against one reference.
void adjust_by_family(std::vector<Comparison>& comparisons) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<Comparison*>> families;
  for (Comparison& c : comparisons) families[{c.kind, c.reference, c.variant}].push_back(&c);
  for (auto& [question, family] : families)
    adjust(family, [](const Comparison& c) { return c.pairs; });
}

std::vector<Comparison> compare_all(const Results& results) {
  std::vector<Comparison> out;
  const auto add = [&](const Cell& cell, const VariantInfo& reference) {
    const Cell* other = results.find(cell.kind, reference.fingerprint, cell.task, cell.length);
    if (other == nullptr || other == &cell) return;
    Comparison comparison = compare(*other, cell);
    if (comparison.pairs.n() > 0) out.push_back(std::move(comparison));
  };
  for (const Cell& cell : results.cells) {
    const VariantInfo* variant = find_variant(results.run, cell.variant);
    if (variant == nullptr) continue;
    add(cell, reference_of(results.run, *variant));
    if (variant->role != Role::kRestored) continue;
    const VariantInfo* tuned = find_variant(results.run, variant->model, variant->fine_tune);
    if (tuned != nullptr) add(cell, *tuned);
  }
  adjust_by_family(out);
  return out;
}

HitPatterns hit_patterns(const Cell& base, const Cell& sft, const Cell& restored) {
  HitPatterns patterns{};
  for_each_match({&base, &sft, &restored}, [&](const std::vector<const Outcome*>& match) {
    ++patterns[(match[0]->hit ? 4U : 0U) + (match[1]->hit ? 2U : 0U) + (match[2]->hit ? 1U : 0U)];
  });
  return patterns;
}

Recovery::Verdict verdict_of(Change change) {
  switch (change) {
    case Change::kLost:
      return Recovery::Verdict::kRecovered;
    case Change::kGained:
      return Recovery::Verdict::kGained;
    case Change::kNoLoss:
      return Recovery::Verdict::kNoLoss;
    case Change::kTooFew:
      break;
  }
  return Recovery::Verdict::kTooFew;
}

void judge(Recovery& recovery) {
  recovery.verdict =
      verdict_of(change_of(recovery.base_and_sft(), recovery.adjusted, recovery.detectable));
  if (recovery.verdict == Recovery::Verdict::kRecovered)
    recovery.recovered = recovered_fraction(recovery.patterns);
}

/// A family is all cells of one restoration.
void judge_by_family(std::vector<Recovery>& recoveries) {
  std::map<std::string, std::vector<Recovery*>> families;
  for (Recovery& recovery : recoveries) families[recovery.restored].push_back(&recovery);
  for (auto& [restored, family] : families)
    adjust(family, [](const Recovery& recovery) { return recovery.base_and_sft(); });
  for (Recovery& recovery : recoveries) judge(recovery);
}

std::vector<Recovery> recover_all(const Results& results) {
  std::vector<Recovery> out;
  for (const Cell& cell : results.cells) {
    const VariantInfo* variant = find_variant(results.run, cell.variant);
    if (cell.kind != "recall" || variant == nullptr || variant->role != Role::kRestored) continue;
    const VariantInfo* base = find_variant(results.run, variant->model, variant->restored_from);
    const VariantInfo* sft = find_variant(results.run, variant->model, variant->fine_tune);
    if (base == nullptr || sft == nullptr) continue;
    const Cell* base_cell = results.recall_cell(base->fingerprint, cell.task, cell.length);
    const Cell* sft_cell = results.recall_cell(sft->fingerprint, cell.task, cell.length);
    if (base_cell == nullptr || sft_cell == nullptr) continue;
    Recovery recovery;
    recovery.model = variant->model;
    recovery.task = cell.task;
    recovery.length = cell.length;
    recovery.base = base->fingerprint;
    recovery.sft = sft->fingerprint;
    recovery.restored = cell.variant;
    recovery.patterns = hit_patterns(*base_cell, *sft_cell, cell);
    if (recovery.n() == 0) continue;
    const PairCounts pairs = recovery.base_and_sft();
    recovery.p = mcnemar_two_sided(pairs.only_first, pairs.only_second);
    out.push_back(std::move(recovery));
  }
  judge_by_family(out);
  return out;
}

Share share_of(const Cell& cell) { return {cell.hits, cell.n}; }

/// Whether a variant is measured by what its base model finds, because that is below the bar
/// already at the shortest length.
bool is_measured_by_base(const Results& results, const VariantInfo& variant,
                         const std::string& task) {
  const VariantInfo& base = reference_of(results.run, variant);
  if (base.fingerprint == variant.fingerprint) return false;
  for (const std::int64_t length : results.run.lengths) {
    const Cell* cell = results.recall_cell(base.fingerprint, task, length);
    if (cell != nullptr && cell->n > 0) return over_bar(length, share_of(*cell)).margin < 0;
  }
  return false;
}

void add_effective_length(const Results& results, const VariantInfo& variant, TaskTrend& trend) {
  trend.is_effective_of_base = is_measured_by_base(results, variant, trend.task);
  const std::string& base = reference_of(results.run, variant).fingerprint;
  std::vector<OverBar> lengths;
  for (const std::int64_t length : results.run.lengths) {
    const Cell* cell = results.recall_cell(variant.fingerprint, trend.task, length);
    if (cell == nullptr || cell->n == 0) continue;
    const Cell* other = results.recall_cell(base, trend.task, length);
    if (!trend.is_effective_of_base)
      lengths.push_back(over_bar(length, share_of(*cell)));
    else if (other != nullptr && other->n > 0)
      lengths.push_back(over_bar(length, share_of(*cell), share_of(*other)));
  }
  trend.effective = effective_length(lengths);
}

TaskTrend trend_of(const Results& results, const VariantInfo& variant, const std::string& task) {
  TaskTrend out;
  out.variant = variant.fingerprint;
  out.task = task;
  std::vector<Dose> lengths;
  std::vector<Dose> depths;
  for (const std::int64_t length : results.run.lengths) {
    const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
    if (cell == nullptr || cell->n == 0) continue;
    lengths.push_back({std::log2(static_cast<double>(length)), cell->hits, cell->n});
    for (const DepthBand& point : depth_points(*cell))
      depths.push_back({point.low, point.hits, point.n});
  }
  out.by_length = cochran_armitage(lengths);
  out.by_depth = cochran_armitage(depths);
  add_effective_length(results, variant, out);
  return out;
}

}  // namespace

DropRule comparison_rule(std::size_t cells) {
  return {.alpha = kComparisonAlpha,
          .tests = static_cast<std::int64_t>(cells),
          .factor = 2,
          .max_drop = 0};
}

Change change_of(const PairCounts& pairs, double adjusted,
                 const std::optional<double>& detectable) {
  const double drop = -pairs.difference();
  if (adjusted <= kComparisonAlpha && drop != 0) return drop > 0 ? Change::kLost : Change::kGained;
  const bool is_coarse = !detectable || *detectable > kCoarsestUsefulDrop;
  return is_coarse || drop > kSuspiciousDrop ? Change::kTooFew : Change::kNoLoss;
}

std::int64_t Recovery::n() const {
  std::int64_t sum = 0;
  for (const std::int64_t count : patterns) sum += count;
  return sum;
}

PairCounts Recovery::base_and_sft() const {
  return {.both = patterns[6] + patterns[7],
          .only_first = patterns[4] + patterns[5],
          .only_second = patterns[2] + patterns[3],
          .neither = patterns[0] + patterns[1]};
}

double Recovery::base_recall() const {
  return static_cast<double>(patterns[4] + patterns[5] + patterns[6] + patterns[7]) /
         static_cast<double>(n());
}

double Recovery::sft_recall() const {
  return static_cast<double>(patterns[2] + patterns[3] + patterns[6] + patterns[7]) /
         static_cast<double>(n());
}

double Recovery::restored_recall() const {
  return static_cast<double>(patterns[1] + patterns[3] + patterns[5] + patterns[7]) /
         static_cast<double>(n());
}

const Comparison* Analysis::find(const Cell& cell, const std::string& reference) const {
  const auto at = std::find_if(comparisons.begin(), comparisons.end(), [&](const Comparison& c) {
    return c.length == cell.length && c.task == cell.task && c.variant == cell.variant &&
           c.kind == cell.kind && c.reference == reference;
  });
  return at == comparisons.end() ? nullptr : &*at;
}

Analysis analyse(const Results& results) {
  Analysis analysis;
  analysis.comparisons = compare_all(results);
  analysis.recoveries = recover_all(results);
  analysis.attributions = attributions(results, analysis);
  for (const std::string& task : results.run.tasks)
    for (const VariantInfo& variant : results.run.variants)
      analysis.trends.push_back(trend_of(results, variant, task));
  analysis.served = compare_served(results);
  return analysis;
}

bool is_significant_together(const PairCounts& pairs) {
  return mcnemar_two_sided(pairs.only_first, pairs.only_second) <= kComparisonAlpha;
}

std::optional<Recovered> pooled_recovery(const std::vector<Recovery>& recoveries,
                                         const std::string& restored) {
  HitPatterns pooled{};
  PairCounts pairs;
  for (const Recovery& recovery : recoveries) {
    if (recovery.restored != restored) continue;
    pairs += recovery.base_and_sft();
    for (std::size_t i = 0; i < pooled.size(); ++i) pooled[i] += recovery.patterns[i];
  }
  if (!is_significant_together(pairs)) return std::nullopt;
  return recovered_fraction(pooled);
}

}  // namespace niah::reports
