#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/text.h"
#include "reports/draw/table.h"
#include "reports/format.h"
#include "reports/gate/evidence.h"
#include "reports/gate/gate.h"

namespace niah::reports {
namespace {

/// Worst first.
constexpr std::array kOrder = {GateOutcome::kRegression, GateOutcome::kNotMeasured,
                               GateOutcome::kInconclusive, GateOutcome::kPass};

double loss_of(const PairCounts& pairs) { return pairs.n() == 0 ? 0 : -pairs.difference(); }

/// The cells of one outcome; those that lost recall by size of their loss.
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

/// Depth bands that lost recall, as they are shown: by size of their loss, and as one where the
/// loss is even over depth, that is, larger than what is tolerated in every band.
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

std::string variant_name(const std::string& model, const std::string& variant) {
  return model.empty() ? variant : model + " " + variant;
}

std::string change(const PairCounts& pairs) {
  if (pairs.n() == 0) return std::string(kGap);
  return fmt::format("{} → {}", percent(pairs.first_recall()), percent(pairs.second_recall()));
}

std::string band_name(const GateBand& band) {
  const std::string task = task_label(band.task);
  if (band.low == 0 && band.high == 100) return task + " at every depth, all lengths";
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

/// How small a drop a cell without further words would have shown.
std::string shown_drop(const GateCell& cell, std::int64_t tests) {
  if (!cell.detectable || !cell.reason.empty()) return "";
  return fmt::format(", shows a drop of {} points in {}", detectable_points(*cell.detectable),
                     among_tests(tests));
}

/// Added to the line of a passing cell whose expected value became less likely, since recall may
/// drop next.
std::string drift_warning(const GateCell& cell) {
  constexpr double kSmallest = 0.005;  // what is shown as 0.00 is no hint
  if (cell.outcome != GateOutcome::kPass || !cell.log_prob || cell.log_prob->interval.high >= 0 ||
      cell.log_prob->mean > -kSmallest)
    return "";
  return fmt::format("; the value's log-probability fell by {:.2f} nats", -cell.log_prob->mean);
}

std::string headline(const Verdict& verdict) {
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
  std::string others;
  for (const Tolerance& one : options.tolerances)
    others += fmt::format("{}{} in {}", others.empty() ? " (" : ", ", percent(one.max_drop, 0),
                          cell_label(one.task, one.length));
  std::string text = fmt::format(
      "A cell or depth band fails on a drop of more than {} points{} that is significant at {} "
      "over "
      "the whole gate (exact one-sided McNemar on paired samples, Holm).",
      percent(options.max_drop, 0), others.empty() ? "" : others + ")", options.alpha);
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
    const DropRule rule{.max_drop = verdict.options.max_drop_of(cell->task, cell->length)};
    fell += rule.is_large(pairs.only_first, pairs.only_second, pairs.n()) ? 1 : 0;
  }
  const std::string n = smallest == largest ? fmt::format("{}", smallest)
                                            : fmt::format("{} to {}", smallest, largest);
  return fmt::format(
      "{} cells: {} and {} more (n = {}): too few samples for {}{}; --summary or --junit lists "
      "them",
      cells.size(), fmt::join(names, ", "), cells.size() - names.size(), n,
      counted(verdict.cell_tests, "test"),
      fell > 0 ? fmt::format("; in {} recall fell by more than {}, which may be chance", fell,
                             verdict.options.tolerances.empty()
                                 ? percent(verdict.options.max_drop, 0) + " points"
                                 : "is tolerated")
               : "");
}

/// What was compared with what; nothing where the two places are not known.
std::vector<std::string> side_lines(const Verdict& verdict) {
  if (verdict.current.place.empty()) return {};
  return {"this run: " + side_words(verdict.current), "baseline: " + side_words(verdict.baseline)};
}

/// The most cells whose samples a terminal or a summary shows.
constexpr std::size_t kMostWithSamples = 3;

/// Of the cells with the largest losses the samples that were lost, as they are typed.
std::string samples_markdown(const Verdict& verdict) {
  std::string out;
  const std::vector<const GateCell*> cells = cells_of(verdict, GateOutcome::kRegression);
  for (std::size_t i = 0; i < std::min(kMostWithSamples, cells.size()); ++i) {
    out += fmt::format("\n**{}**\n\n", markdown_text(cell_name(*cells[i])));
    for (const std::string& line : sample_lines(verdict, *cells[i]))
      out += "    " + one_line(valid_utf8(line)) + "\n";
  }
  return out.empty() ? out : out + "\n";
}

}  // namespace

std::string gate_markdown(const Verdict& verdict) {
  std::string out = fmt::format("## {}\n\n{}.\n\n", headline(verdict), tally(verdict));
  for (const std::string& line : side_lines(verdict)) out += "- " + markdown_text(line) + "\n";
  if (!verdict.current.place.empty()) out += "\n";
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
  for (const GateOutcome outcome : kOrder) {
    for (const GateCell* cell : cells_of(verdict, outcome))
      table.add_row({gate_outcome_name(outcome), variant_name(cell->model, cell->variant),
                     cell_label(cell->task, cell->length), std::to_string(cell->pairs.n()),
                     change(cell->pairs), p_value(cell->adjusted), detectable_words(*cell),
                     log_prob_words(*cell), cell->reason});
    if (outcome != GateOutcome::kRegression) continue;
    for (const GateBand& band : shown_bands(verdict))
      table.add_row({gate_outcome_name(outcome), variant_name(band.model, band.variant),
                     band_name(band), std::to_string(band.pairs.n()), change(band.pairs),
                     p_value(band.adjusted), std::string(kGap), std::string(kGap),
                     "recall fell in this depth band"});
  }
  out += markdown(table) + "\n" + samples_markdown(verdict) + rules(verdict) + "\n";
  for (const std::string& note : verdict.notes) out += "\n" + note + "\n";
  return out;
}

std::string refusal_markdown(const std::string& reason) {
  return fmt::format("## Not compared: {}\n\nNothing is known of tonight's recall.\n",
                     markdown_text(reason));
}

std::string gate_lines(const Verdict& verdict) {
  constexpr std::size_t kMostInconclusive = 3;  // more are one line
  std::string out;
  const auto add = [&](const std::string& line) { out += one_line(valid_utf8(line)) + "\n"; };
  for (const GateOutcome outcome : kOrder) {
    const std::vector<const GateCell*> cells = cells_of(verdict, outcome);
    const std::string begin = fmt::format("{:<13} ", gate_outcome_name(outcome));
    if (outcome == GateOutcome::kInconclusive && cells.size() > kMostInconclusive) {
      add(begin + inconclusive_words(verdict, cells, kMostInconclusive));
      continue;
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      add(begin + cell_words(*cells[i], verdict.cell_tests));
      if (outcome != GateOutcome::kRegression || i >= kMostWithSamples) continue;
      for (const std::string& line : sample_lines(verdict, *cells[i])) add("  " + line);
    }
    if (outcome != GateOutcome::kRegression) continue;
    for (const GateBand& band : shown_bands(verdict))
      add(fmt::format("{}{} {}: {} (n = {}, {})", begin, variant_name(band.model, band.variant),
                      band_name(band), change(band.pairs), band.pairs.n(), p_words(band.adjusted)));
  }
  for (const std::string& note : verdict.notes) add("note: " + note);
  for (const std::string& line : side_lines(verdict)) add(line);
  add(headline(verdict) + ". " + tally(verdict) + ".");
  return out;
}

}  // namespace niah::reports
