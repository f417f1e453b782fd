#include "reports/gate/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "reports/analysis/cells.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"
#include "reports/gate/evidence.h"
#include "reports/gate/refusals.h"
#include "reports/gate/variant_pairs.h"

namespace niah::reports {
namespace {

/// Cells and bands of each comparison are families of tests, which share alpha equally.
double families_of(const GateOptions& options) {
  return 2 * static_cast<double>(std::max<std::int64_t>(options.comparisons, 1));
}

/// The rule that decides whether recall dropped in one of `tests` cells or bands.
DropRule rule_of(const GateOptions& options, std::int64_t tests, double max_drop) {
  return {.alpha = options.alpha,
          .tests = std::max<std::int64_t>(tests, 1),
          .factor = families_of(options),
          .max_drop = max_drop};
}

/// Samples of the baseline that the run lacks, or has but could not measure.
struct Shortfall {
  std::int64_t missing = 0;
  std::int64_t unmeasured = 0;
  std::int64_t gaps = 0;  ///< missing ones with a later sample that the run has
};

/// Throws DataError if a sample's prompt differs.
Shortfall shortfall_of(const Cell& baseline, const Cell& current) {
  Shortfall shortfall;
  auto at = current.samples.begin();
  for (const Outcome& sample : baseline.samples) {
    if (!sample.scored) continue;
    while (at != current.samples.end() && at->index < sample.index) ++at;
    if (at == current.samples.end() || at->index != sample.index) {
      ++shortfall.missing;
      shortfall.gaps += at == current.samples.end() ? 0 : 1;
      continue;
    }
    shortfall.unmeasured += at->scored ? 0 : 1;
    const bool built = sample.prompt != 0 && at->prompt != 0;
    if (built && at->prompt != sample.prompt)
      throw DataError(fmt::format(
          "comparing with the baseline: sample {} of {} has another prompt (baseline {:016x}, this "
          "run {:016x}), so the two were not asked the same; make a new baseline",
          sample.index, cell_label(baseline.task, baseline.length), sample.prompt, at->prompt));
  }
  return shortfall;
}

/// Whether the plan allows this cell to end before all its samples were asked.
bool may_end_early(const RunInfo& run, const Cell& cell) {
  return std::any_of(run.planned.begin(), run.planned.end(), [&](const PlannedCell& planned) {
    return planned.may_end_early && planned.kind == cell.kind && planned.task == cell.task &&
           planned.length == cell.length;
  });
}

/// One cell of the baseline and the run's cell to compare with it.
struct Matched {
  const VariantPair* variant = nullptr;
  const Cell* baseline = nullptr;
  const Cell* current = nullptr;  ///< nullptr: no records
  bool ended_early = false;       ///< the run's samples are the baseline's first ones, by its plan
};

/// Why the cell counts as not measured; empty if everything to be compared was measured. Sets
/// `match.ended_early`.
std::string not_measured_reason(Matched& match, const RunInfo& run, const GateOptions& options) {
  if (match.baseline->n == 0) return "the baseline has no measurement";
  if (match.current == nullptr) return "this run has no records";
  const Shortfall shortfall = shortfall_of(*match.baseline, *match.current);
  if (shortfall.unmeasured > 0)
    return fmt::format(
        "{} could not be measured{} {}", counted(shortfall.unmeasured, "sample"),
        shortfall.unmeasured == match.current->unmeasured_count() ? ":" : "; in the whole cell",
        unmeasured_words(match.current->unmeasured, match.current->unmeasured_details));
  if (match.current->n == 0) return "this run has no measurement";
  match.ended_early =
      shortfall.missing > 0 && shortfall.gaps == 0 && may_end_early(run, *match.current);
  if (shortfall.missing > 0 && !match.ended_early && !options.allow_fewer_samples)
    return fmt::format("{} of the baseline are not in this run",
                       counted(shortfall.missing, "sample"));
  return "";
}

double drop_of(const PairCounts& pairs) { return pairs.n() == 0 ? 0 : -pairs.difference(); }

std::string change_words(const PairCounts& pairs) {
  return fmt::format("from {} to {}", percent_words(pairs.first_recall()),
                     percent_words(pairs.second_recall()));
}

/// Holm's correction within the family, scaled so that the result can be compared with the full
/// alpha.
template <typename Test>
void adjust(std::vector<Test>& tests, const GateOptions& options) {
  std::vector<Test*> family;
  std::vector<double> p_values;
  for (Test& test : tests) {
    if (test.pairs.n() == 0) continue;
    family.push_back(&test);
    p_values.push_back(test.p);
  }
  const std::vector<double> adjusted = holm(p_values);
  for (std::size_t i = 0; i < family.size(); ++i)
    family[i]->adjusted = std::min(1.0, families_of(options) * adjusted[i]);
}

bool is_regression(const PairCounts& pairs, double adjusted, const GateOptions& options,
                   double max_drop) {
  return adjusted <= options.alpha &&
         rule_of(options, 1, max_drop).is_large(pairs.only_first, pairs.only_second, pairs.n());
}

/// How small a drop a cell of `n` pairs would have shown among so many tests, where that is too
/// large.
std::string coarse_words(const GateCell& cell, std::int64_t tests) {
  if (!cell.detectable)
    return fmt::format("n = {} would not show any drop in {}", cell.pairs.n(), among_tests(tests));
  return fmt::format("n = {} would only show a drop of {} points or more in {}", cell.pairs.n(),
                     detectable_points(*cell.detectable), among_tests(tests));
}

/// Whether what was measured is enough to pass, and if not, why.
void judge(GateCell& cell, std::int64_t tests, const GateOptions& options) {
  const double max_drop = options.max_drop_of(cell.task, cell.length);
  if (is_regression(cell.pairs, cell.adjusted, options, max_drop)) {
    cell.outcome = GateOutcome::kRegression;
    cell.reason = fmt::format("recall fell {} ({} after Holm)", change_words(cell.pairs),
                              p_words(cell.adjusted));
    return;
  }
  if (!cell.reason.empty()) return;  // not measured, or only in part
  cell.outcome = GateOutcome::kInconclusive;
  if (drop_of(cell.pairs) > max_drop) {
    cell.reason = fmt::format("recall fell {}, but n = {} cannot tell this from chance ({})",
                              change_words(cell.pairs), cell.pairs.n(), p_words(cell.adjusted));
  } else if (!cell.detectable || *cell.detectable > options.detectable) {
    cell.reason = coarse_words(cell, tests);
  } else {
    cell.outcome = GateOutcome::kPass;
  }
}

std::vector<GateBand> band_tests(const std::vector<Matched>& matched) {
  std::map<std::pair<const VariantPair*, std::string>, std::vector<PairCounts>> pooled;
  std::vector<std::pair<const VariantPair*, std::string>> order;
  for (const Matched& match : matched) {
    if (match.baseline->kind != "recall" || match.current == nullptr) continue;
    const std::pair key(match.variant, match.baseline->task);
    auto [at, fresh] = pooled.try_emplace(key, static_cast<std::size_t>(kDepthBands));
    if (fresh) order.push_back(key);
    const auto bands = pair_samples_by_band(*match.baseline, *match.current, kDepthBands);
    for (std::size_t i = 0; i < bands.size(); ++i) at->second[i] += bands[i];
  }
  std::vector<GateBand> tests;
  for (const auto& key : order) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(kDepthBands); ++i) {
      GateBand band;
      band.model = key.first->baseline->model;
      band.variant = key.first->name();
      band.task = key.second;
      band.low = 100.0 * static_cast<double>(i) / kDepthBands;
      band.high = 100.0 * static_cast<double>(i + 1) / kDepthBands;
      band.pairs = pooled.at(key)[i];
      band.p = mcnemar_one_sided(band.pairs.only_first, band.pairs.only_second);
      tests.push_back(std::move(band));
    }
  }
  return tests;
}

/// Computes intervals that hold simultaneously with probability 1 - alpha (Bonferroni), over all
/// comparisons.
void fill_log_prob(Verdict& verdict, const std::vector<Matched>& matched) {
  const double cells = static_cast<double>(std::max<std::int64_t>(verdict.options.comparisons, 1)) *
                       static_cast<double>(std::max<std::size_t>(matched.size(), 1));
  for (std::size_t i = 0; i < matched.size(); ++i)
    if (matched[i].current != nullptr)
      verdict.cells[i].log_prob =
          mean_change(log_prob_changes(*matched[i].baseline, *matched[i].current),
                      1 - verdict.options.alpha / cells);
}

void fill_detectable(Verdict& verdict) {
  verdict.cell_tests = std::count_if(verdict.cells.begin(), verdict.cells.end(),
                                     [](const GateCell& cell) { return cell.pairs.n() > 0; });
  std::map<double, DetectableDrops> by_tolerance;
  for (GateCell& cell : verdict.cells) {
    if (cell.pairs.n() == 0) continue;
    const double max_drop = verdict.options.max_drop_of(cell.task, cell.length);
    const DropRule rule = rule_of(verdict.options, verdict.cell_tests, max_drop);
    DetectableDrops& drops =
        by_tolerance.try_emplace(max_drop, rule, verdict.options.power).first->second;
    cell.detectable = drops.at(cell.pairs.n(), cell.pairs.noise());
  }
}

/// Notes differences in how the two runs were computed, which alone can change answers.
std::string arithmetic_note(const RunInfo& baseline, const RunInfo& current) {
  std::vector<std::string> words;
  for (const ArithmeticDifference& difference : arithmetic_differences(baseline, current))
    words.push_back(difference.words());
  if (words.empty()) return "";
  return fmt::format(
      "The baseline and this run were not computed alike: they differ in {} (baseline against this "
      "run). A small change may come from that alone.",
      fmt::join(words, ", "));
}

/// Lists cells that adaptive sampling ended with fewer samples than the baseline has.
std::string early_note(const std::vector<Matched>& matched, const std::vector<GateCell>& cells) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < matched.size(); ++i)
    if (matched[i].ended_early)
      list.push_back(fmt::format("{} {} ({} of {})", matched[i].variant->name(),
                                 cell_label(cells[i].task, cells[i].length), cells[i].pairs.n(),
                                 matched[i].baseline->n));
  if (list.empty()) return "";
  return fmt::format(
      "Sampling is adaptive and ended earlier than the baseline's in {}, compared on the samples "
      "that both have: {}.",
      counted(static_cast<std::int64_t>(list.size()), "cell"), fmt::join(list, ", "));
}

/// Counts the run's cells that the baseline does not have.
std::string fresh_note(const Results& current, const std::vector<Matched>& matched) {
  const auto fresh =
      std::count_if(current.cells.begin(), current.cells.end(), [&](const Cell& cell) {
        return std::none_of(matched.begin(), matched.end(),
                            [&](const Matched& match) { return match.current == &cell; });
      });
  if (fresh == 0) return "";
  return fmt::format("{} of this run {} not in the baseline and {} not compared.",
                     counted(fresh, "cell"), fresh == 1 ? "is" : "are",
                     fresh == 1 ? "was" : "were");
}

std::vector<std::string> notes_on(const Results& baseline, const Results& current,
                                  const VariantPairs& variants,
                                  const std::vector<Matched>& matched) {
  std::vector<std::string> notes;
  const auto add = [&](const std::string& note) {
    if (!note.empty()) notes.push_back(note);
  };
  if (baseline.run.program_version != current.run.program_version)
    add(fmt::format("The baseline was made by version {}, this run by {}.",
                    baseline.run.program_version, current.run.program_version));
  for (const std::string& note : variants.notes) add(note);
  // A server's arithmetic is unknown, so the note makes sense for local pairs only.
  if (variants.has_local_pair) add(arithmetic_note(baseline.run, current.run));
  const std::int64_t missing = count_missing(missing_samples(current));
  if (missing > 0)
    add(fmt::format("{} that this run's plan asks for {} no record.", counted(missing, "sample"),
                    missing == 1 ? "has" : "have"));
  add(fresh_note(current, matched));
  return notes;
}

/// Each cell of the baseline that is compared, with the run's cell of the same task and length.
std::vector<Matched> match_cells(const Results& baseline, const Results& current,
                                 const VariantPairs& variants) {
  std::vector<Matched> matched;
  for (const Cell& cell : baseline.cells)
    for (const VariantPair& variant : variants.pairs) {
      if (variant.baseline->fingerprint != cell.variant) continue;
      const Cell* same =
          variant.current == nullptr
              ? nullptr
              : current.find(cell.kind, variant.current->fingerprint, cell.task, cell.length);
      matched.push_back({&variant, &cell, same});
    }
  return matched;
}

GateCell test_of(Matched& match, const RunInfo& run, const GateOptions& options) {
  const Cell& cell = *match.baseline;
  GateCell test;
  test.kind = cell.kind;
  test.model = match.variant->baseline->model;
  test.baseline = cell.variant;
  test.variant = match.variant->name();
  if (match.variant->current != nullptr) test.current = match.variant->current->fingerprint;
  test.task = cell.task;
  test.length = cell.length;
  test.reason = not_measured_reason(match, run, options);
  if (match.current != nullptr) {
    test.pairs = pair_samples(cell, *match.current);
    find_turned(cell, *match.current, test);
  }
  test.p = mcnemar_one_sided(test.pairs.only_first, test.pairs.only_second);
  return test;
}

}  // namespace

std::string gate_outcome_name(GateOutcome outcome) {
  switch (outcome) {
    case GateOutcome::kPass:
      return "pass";
    case GateOutcome::kRegression:
      return "regression";
    case GateOutcome::kInconclusive:
      return "inconclusive";
    case GateOutcome::kNotMeasured:
      return "not measured";
  }
  return "";
}

double GateOptions::max_drop_of(std::string_view task, std::int64_t length) const {
  double found = max_drop;
  for (const Tolerance& tolerance : tolerances) {
    if (tolerance.task != task) continue;
    if (tolerance.length == length) return tolerance.max_drop;
    if (tolerance.length == 0) found = tolerance.max_drop;
  }
  return found;
}

GateOutcome Verdict::outcome() const {
  const auto any = [&](GateOutcome outcome) {
    return std::any_of(cells.begin(), cells.end(),
                       [&](const GateCell& cell) { return cell.outcome == outcome; });
  };
  const bool band_lost =
      std::any_of(bands.begin(), bands.end(), [](const GateBand& band) { return band.regression; });
  if (band_lost || any(GateOutcome::kRegression)) return GateOutcome::kRegression;
  if (cells.empty() || any(GateOutcome::kNotMeasured)) return GateOutcome::kNotMeasured;
  return any(GateOutcome::kInconclusive) ? GateOutcome::kInconclusive : GateOutcome::kPass;
}

bool Verdict::is_inconclusive() const { return outcome() == GateOutcome::kInconclusive; }

ExitCode Verdict::exit_code() const {
  switch (outcome()) {
    case GateOutcome::kRegression:
      return ExitCode::kCheckFailed;
    case GateOutcome::kNotMeasured:
      return ExitCode::kNotMeasured;
    case GateOutcome::kInconclusive:
      return options.inconclusive_passes ? ExitCode::kOk : ExitCode::kInconclusive;
    case GateOutcome::kPass:
      return ExitCode::kOk;
  }
  return ExitCode::kNotMeasured;
}

Verdict gate(const Results& baseline, const Results& current, const GateOptions& options) {
  refuse_other_questions(baseline.run, current.run);
  for (const Tolerance& tolerance : options.tolerances) refuse_unknown_cell(baseline, tolerance);
  Verdict verdict;
  verdict.options = options;
  const VariantPairs variants = pair_variants(baseline.run, current.run, options.served_as);
  refuse_strangers(baseline.run, current.run, variants);
  if (options.require_same_arithmetic) refuse_other_arithmetic(baseline.run, current.run, variants);
  verdict.is_mixed = variants.has_mixed_pair;
  describe_sides(variants, baseline.run, current.run, verdict);
  std::vector<Matched> matched = match_cells(baseline, current, variants);
  for (Matched& match : matched) verdict.cells.push_back(test_of(match, current.run, options));
  adjust(verdict.cells, options);
  fill_detectable(verdict);
  fill_log_prob(verdict, matched);
  for (GateCell& cell : verdict.cells) judge(cell, verdict.cell_tests, options);

  verdict.bands = band_tests(matched);
  adjust(verdict.bands, options);
  for (GateBand& band : verdict.bands)
    band.regression =
        is_regression(band.pairs, band.adjusted, options, options.max_drop_of(band.task, 0));
  verdict.notes = notes_on(baseline, current, variants, matched);
  const std::string early = early_note(matched, verdict.cells);
  if (!early.empty()) verdict.notes.push_back(early);
  return verdict;
}

}  // namespace niah::reports
