#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/text.h"
#include "reports/draw/table.h"
#include "reports/format.h"
#include "reports/gate/gate.h"

namespace niah::reports {
namespace {

/// Worst first.
constexpr std::array kOrder = {GateOutcome::kRegression, GateOutcome::kNotMeasured,
                               GateOutcome::kInconclusive, GateOutcome::kPass};

std::vector<const GateCell*> cells_of(const Verdict& verdict, GateOutcome outcome) {
  std::vector<const GateCell*> cells;
  for (const GateCell& cell : verdict.cells)
    if (cell.outcome == outcome) cells.push_back(&cell);
  return cells;
}

std::string variant_name(const std::string& model, const std::string& variant) {
  return model.empty() ? variant : model + " " + variant;
}

std::string change(const PairCounts& pairs) {
  if (pairs.n() == 0) return std::string(kGap);
  return fmt::format("{} → {}", percent(pairs.first_recall()), percent(pairs.second_recall()));
}

std::string band_name(const GateBand& band) {
  return fmt::format("{} at depth {:g}–{:g} %, all lengths", task_label(band.task), band.low,
                     band.high);
}

std::string detectable_words(const GateCell& cell) {
  return cell.detectable ? detectable_points(*cell.detectable) : std::string(kGap);
}

std::string log_prob_words(const GateCell& cell) {
  if (!cell.log_prob) return std::string(kGap);
  return fmt::format("{} ({})", signed_number(cell.log_prob->mean, 2),
                     nats_range(cell.log_prob->interval));
}

/// How small a drop a cell without further words would have shown.
std::string shown_drop(const GateCell& cell, std::int64_t tests) {
  if (!cell.detectable || !cell.reason.empty()) return "";
  return fmt::format(", shows a drop of {} points in {}", detectable_points(*cell.detectable),
                     among_tests(tests));
}

/// Added to the line of a passing cell whose expected value became less likely, since recall may
/// drop next.
std::string drift_warning(const GateCell& cell) {
  if (cell.outcome != GateOutcome::kPass || !cell.log_prob || cell.log_prob->interval.high >= 0)
    return "";
  return fmt::format("; the value's log-probability fell by {:.2f} nats", -cell.log_prob->mean);
}

std::string headline(const Verdict& verdict) {
  switch (verdict.exit_code()) {
    case ExitCode::kOk:
      return "No recall was lost";
    case ExitCode::kCheckFailed:
      return "Recall was lost";
    case ExitCode::kInconclusive:
      return "The evidence does not suffice";
    default:
      return "Not everything could be measured";
  }
}

std::string tally(const Verdict& verdict) {
  std::vector<std::string> parts;
  for (const GateOutcome outcome : kOrder) {
    const auto count = std::count_if(verdict.cells.begin(), verdict.cells.end(),
                                     [&](const GateCell& cell) { return cell.outcome == outcome; });
    if (count > 0) parts.push_back(fmt::format("{} {}", count, gate_outcome_name(outcome)));
  }
  return fmt::format("{}: {}", counted(static_cast<std::int64_t>(verdict.cells.size()), "cell"),
                     fmt::join(parts, ", "));
}

std::string rules(const Verdict& verdict) {
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
  std::string text = fmt::format(
      "A cell or depth band fails on a drop of more than {} points that is significant at {} over "
      "the whole gate (exact one-sided McNemar on paired samples, Holm).",
      percent(options.max_drop, 0), options.alpha);
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

std::string cell_name(const GateCell& cell) {
  return variant_name(cell.model, cell.variant) + " " + cell_label(cell.task, cell.length);
}

/// A cell's line, without its outcome.
std::string cell_words(const GateCell& cell, std::int64_t tests) {
  return fmt::format("{}: {} (n = {}{}){}{}", cell_name(cell), change(cell.pairs), cell.pairs.n(),
                     shown_drop(cell, tests), cell.reason.empty() ? "" : ": " + cell.reason,
                     drift_warning(cell));
}

/// Many inconclusive cells in one line: the first names, and what the others would say together.
std::string inconclusive_words(const Verdict& verdict, const std::vector<const GateCell*>& cells,
                               std::size_t named) {
  std::vector<std::string> names;
  std::int64_t smallest = cells.front()->pairs.n(), largest = smallest, fell = 0;
  for (const GateCell* cell : cells) {
    if (names.size() < named) names.push_back(cell_name(*cell));
    smallest = std::min(smallest, cell->pairs.n());
    largest = std::max(largest, cell->pairs.n());
    const PairCounts& pairs = cell->pairs;
    const DropRule rule{.max_drop = verdict.options.max_drop};
    fell += rule.is_large(pairs.only_first, pairs.only_second, pairs.n()) ? 1 : 0;
  }
  const std::string n = smallest == largest ? fmt::format("{}", smallest)
                                            : fmt::format("{} to {}", smallest, largest);
  return fmt::format(
      "{} cells: {} and {} more (n = {}): too few samples for {}{}; --summary or --junit lists "
      "them",
      cells.size(), fmt::join(names, ", "), cells.size() - names.size(), n,
      counted(verdict.cell_tests, "test"),
      fell > 0 ? fmt::format("; in {} recall fell by more than {} points, which may be chance",
                             fell, percent(verdict.options.max_drop, 0))
               : "");
}

}  // namespace

std::string gate_markdown(const Verdict& verdict) {
  std::string out = fmt::format("## {}\n\n{}.\n\n", headline(verdict), tally(verdict));
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
  for (const GateBand& band : verdict.bands)
    if (band.regression)
      table.add_row({gate_outcome_name(GateOutcome::kRegression),
                     variant_name(band.model, band.variant), band_name(band),
                     std::to_string(band.pairs.n()), change(band.pairs), p_value(band.adjusted),
                     std::string(kGap), std::string(kGap), "recall fell in this depth band"});
  for (const GateOutcome outcome : kOrder)
    for (const GateCell* cell : cells_of(verdict, outcome))
      table.add_row({gate_outcome_name(outcome), variant_name(cell->model, cell->variant),
                     cell_label(cell->task, cell->length), std::to_string(cell->pairs.n()),
                     change(cell->pairs), p_value(cell->adjusted), detectable_words(*cell),
                     log_prob_words(*cell), cell->reason});
  out += markdown(table) + "\n" + rules(verdict) + "\n";
  for (const std::string& note : verdict.notes) out += "\n" + note + "\n";
  return out;
}

std::string gate_lines(const Verdict& verdict) {
  constexpr std::size_t kMostInconclusive = 3;  // more are one line
  std::string out;
  const auto add = [&](const std::string& line) { out += one_line(valid_utf8(line)) + "\n"; };
  for (const GateBand& band : verdict.bands)
    if (band.regression)
      add(fmt::format("{:<13} {} {}: {} (n = {}, {})", gate_outcome_name(GateOutcome::kRegression),
                      variant_name(band.model, band.variant), band_name(band), change(band.pairs),
                      band.pairs.n(), p_words(band.adjusted)));
  for (const GateOutcome outcome : kOrder) {
    const std::vector<const GateCell*> cells = cells_of(verdict, outcome);
    const std::string begin = fmt::format("{:<13} ", gate_outcome_name(outcome));
    if (outcome == GateOutcome::kInconclusive && cells.size() > kMostInconclusive) {
      add(begin + inconclusive_words(verdict, cells, kMostInconclusive));
      continue;
    }
    for (const GateCell* cell : cells) add(begin + cell_words(*cell, verdict.cell_tests));
  }
  for (const std::string& note : verdict.notes) add("note: " + note);
  add(headline(verdict) + ". " + tally(verdict) + ".");
  return out;
}

}  // namespace niah::reports
