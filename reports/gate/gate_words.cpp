#include "reports/gate/gate_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "reports/format.h"
#include "reports/gate/evidence.h"

namespace niah::reports {
namespace {

double loss_of(const PairCounts& pairs) { return pairs.n() == 0 ? 0 : -pairs.difference(); }

std::string variant_name(const std::string& model, const std::string& variant) {
  return model.empty() ? variant : model + " " + variant;
}

bool is_at_every_depth(const GateBand& band) { return band.low == 0 && band.high == 100; }

std::string band_name(const GateBand& band) {
  const std::string task = task_label(band.task);
  if (is_at_every_depth(band)) return task + " at every depth, all lengths";
  return fmt::format("{} at depth {:g}–{:g} %, all lengths", task, band.low, band.high);
}

std::string detectable_words(const GateCell& cell) {
  return cell.detectable ? detectable_points(*cell.detectable) : std::string(kGap);
}

std::string log_prob_words(const GateCell& cell) {
  if (!cell.log_prob) return std::string(kGap);
  return fmt::format("{} ({})", signed_number(cell.log_prob->mean, 2),
                     nats_range(cell.log_prob->interval));
}

}  // namespace

std::vector<const GateCell*> cells_of(const Verdict& verdict, GateOutcome outcome) {
  std::vector<const GateCell*> cells;
  for (const GateCell& cell : verdict.cells)
    if (cell.outcome == outcome) cells.push_back(&cell);
  if (outcome == GateOutcome::kRegression)
    std::stable_sort(cells.begin(), cells.end(), [](const GateCell* a, const GateCell* b) {
      return loss_of(a->pairs) > loss_of(b->pairs);
    });
  return cells;
}

std::vector<GateBand> shown_bands(const Verdict& verdict) {
  std::vector<GateBand> shown;
  for (auto first = verdict.bands.begin(); first != verdict.bands.end();) {
    const auto last = std::find_if(first, verdict.bands.end(), [&](const GateBand& band) {
      return band.model != first->model || band.variant != first->variant ||
             band.task != first->task;
    });
    GateBand all = *first;
    all.pairs = {};
    bool is_even = true;
    const std::size_t before = shown.size();
    for (auto band = first; band != last; ++band) {
      if (band->regression) shown.push_back(*band);
      all.pairs += band->pairs;
      all.high = band->high;
      all.adjusted = std::min(all.adjusted, band->adjusted);
      is_even = is_even && loss_of(band->pairs) > verdict.options.max_drop_of(band->task, 0);
    }
    if (is_even && shown.size() > before + 1) {
      shown.resize(before);
      shown.push_back(all);
    }
    first = last;
  }
  std::stable_sort(shown.begin(), shown.end(), [](const GateBand& a, const GateBand& b) {
    return loss_of(a.pairs) > loss_of(b.pairs);
  });
  return shown;
}

std::string recall_change(const PairCounts& pairs) {
  if (pairs.n() == 0) return std::string(kGap);
  return fmt::format("{} → {}", percent(pairs.first_recall()), percent(pairs.second_recall()));
}

std::string whole_band_name(const GateBand& band) {
  return variant_name(band.model, band.variant) + " " + band_name(band);
}

std::string cell_name(const GateCell& cell) {
  return variant_name(cell.model, cell.variant) + " " + cell_label(cell.task, cell.length);
}

std::string gate_headline(const Verdict& verdict) {
  if (verdict.is_inconclusive()) return "The evidence does not suffice";
  switch (verdict.exit_code()) {
    case ExitCode::kOk:
      return "No recall was lost";
    case ExitCode::kCheckFailed:
      return "Recall was lost";
    default:
      return "Not everything could be measured";
  }
}

std::string gate_tally(const Verdict& verdict) {
  std::vector<std::string> parts;
  for (const GateOutcome outcome : kWorstFirst) {
    const auto count = std::count_if(verdict.cells.begin(), verdict.cells.end(),
                                     [&](const GateCell& cell) { return cell.outcome == outcome; });
    const char* plural = outcome == GateOutcome::kRegression && count > 1 ? "s" : "";
    if (count > 0)
      parts.push_back(fmt::format("{} {}{}", count, gate_outcome_name(outcome), plural));
  }
  return fmt::format("{}: {}", counted(static_cast<std::int64_t>(verdict.cells.size()), "cell"),
                     fmt::join(parts, ", "));
}

std::string gate_rules(const Verdict& verdict) {
  const GateOptions& options = verdict.options;
  std::optional<double> finest;
  std::optional<double> coarsest;
  std::int64_t blind = 0;  // cells whose n detects no drop at all
  for (const GateCell& cell : verdict.cells) {
    blind += cell.detectable ? 0 : 1;
    if (!cell.detectable) continue;
    finest = std::min(finest.value_or(1), *cell.detectable);
    coarsest = std::max(coarsest.value_or(0), *cell.detectable);
  }
  std::string others;
  for (const Tolerance& one : options.tolerances)
    others += fmt::format("{}{} in {}", others.empty() ? " (" : ", ", percent(one.max_drop, 0),
                          cell_label(one.task, one.length));
  std::string text = fmt::format(
      "A cell or depth band fails on a drop of more than {} points{} that is significant at {} "
      "over "
      "the whole gate (exact one-sided McNemar on paired samples, Holm).",
      percent(options.max_drop, 0), others.empty() ? "" : others + ")", options.alpha);
  if (options.comparisons > 1)
    text += fmt::format(" The run was compared with {} baselines, which share that equally.",
                        options.comparisons);
  if (finest) {
    const std::string least = detectable_points(*finest), most = detectable_points(*coarsest);
    text += fmt::format(
        " With these n it finds a drop of {} in {} of cells with probability {} (as many samples "
        "lost and gained by chance as were seen).",
        least == most ? least + " points" : fmt::format("{} to {} points, by cell,", least, most),
        among_tests(verdict.cell_tests), options.power);
  }
  if (blind > 0)
    text += fmt::format(" In {} of {} n is too small to show any drop.", blind,
                        counted(static_cast<std::int64_t>(verdict.cells.size()), "cell"));
  return text;
}

std::vector<std::string> side_lines(const Verdict& verdict) {
  if (verdict.current.place.empty()) return {};
  return {"this run: " + side_words(verdict.current), "baseline: " + side_words(verdict.baseline)};
}

Table gate_table(const Verdict& verdict) {
  Table table{"gate",
              "Cells, worst first",
              {{"verdict", Align::kLeft},
               {"variant", Align::kLeft},
               {"cell", Align::kLeft},
               {"pairs"},
               {"recall %"},
               {"p (Holm)"},
               {"would show, points"},
               {"value log-probability, nats"},
               {"why", Align::kLeft}},
              {}};
  for (const GateOutcome outcome : kWorstFirst) {
    for (const GateCell* cell : cells_of(verdict, outcome))
      table.add_row({gate_outcome_name(outcome), variant_name(cell->model, cell->variant),
                     cell_label(cell->task, cell->length), std::to_string(cell->pairs.n()),
                     recall_change(cell->pairs), p_value(cell->adjusted), detectable_words(*cell),
                     log_prob_words(*cell), cell->reason});
    if (outcome != GateOutcome::kRegression) continue;
    for (const GateBand& band : shown_bands(verdict))
      table.add_row({gate_outcome_name(outcome), variant_name(band.model, band.variant),
                     band_name(band), std::to_string(band.pairs.n()), recall_change(band.pairs),
                     p_value(band.adjusted), std::string(kGap), std::string(kGap),
                     is_at_every_depth(band) ? "recall fell at every depth"
                                             : "recall fell in this depth band"});
  }
  return table;
}

}  // namespace niah::reports
