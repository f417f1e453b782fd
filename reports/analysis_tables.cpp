// The tables of figures that are computed across cells.
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/units.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

std::string number_or_gap(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : kNone;
}

std::string recovered_text(const Recovery& recovery) {
  if (recovery.recovered) return percent_signed(recovery.recovered->fraction);
  if (recovery.verdict == Recovery::Verdict::kGained) return "gained, nothing lost";
  return recovery.verdict == Recovery::Verdict::kNoLoss ? "no measurable loss"
                                                        : "n too small to tell";
}

std::string recovered_interval(const std::optional<Recovered>& recovered) {
  return recovered ? recovered_range(*recovered) : kNone;
}

/// The cell of `variant` that the figure is of, or nullptr.
const Cell* our_cell(const Results& results, const PublishedFigure& figure,
                     const VariantInfo* variant) {
  if (variant == nullptr) return nullptr;
  const std::size_t at = figure.cell.find('@');
  for (const Cell& cell : results.cells) {
    if (cell.variant != variant->fingerprint) continue;
    const std::string label = cell.kind == "recall"
                                  ? task_label(cell.task) + "@" + format_length(cell.length)
                                  : cell.task;
    if (at != std::string::npos ? label == figure.cell : file_stem(label) == file_stem(figure.cell))
      return &cell;
  }
  return nullptr;
}

/// "56.2, −2.1 (−5.0 to +0.9)": our recall, and by how much it differs from the published one, with
/// Wilson's interval around ours.
std::string beside(const Results& results, const PublishedFigure& figure,
                   const VariantInfo* variant, const std::optional<double>& published) {
  const Cell* cell = our_cell(results, figure, variant);
  if (cell == nullptr || cell->n == 0) return kNone;
  if (!published) return percent(cell->recall());
  const Interval interval = cell->interval();
  return fmt::format("{}, {} ({} to {})", percent(cell->recall()),
                     signed_number(100 * cell->recall() - *published),
                     signed_number(100 * interval.low - *published),
                     signed_number(100 * interval.high - *published));
}

bool is_measured(const Results& results, const std::string& variant, const std::string& task) {
  return std::any_of(results.cells.begin(), results.cells.end(), [&](const Cell& cell) {
    return cell.kind == "recall" && cell.variant == variant && cell.task == task && cell.n > 0;
  });
}

/// "4K", "≥ 16K (8K to ≥ 16K)" where nothing longer was measured, "none (none to 4K)"; a gap where
/// nothing was measured.
std::string effective_words(const Results& results, const TaskTrend& trend) {
  if (!is_measured(results, trend.variant, trend.task)) return kNone;
  const auto words = [&](const std::optional<std::int64_t>& length) -> std::string {
    if (!length) return "none";
    return (*length == results.run.lengths.back() ? "≥ " : "") + format_length(*length);
  };
  const EffectiveLength& at = trend.effective;
  std::string text = words(at.length);
  if (at.low != at.length || at.high != at.length)
    text += fmt::format(" ({} to {})", words(at.low), words(at.high));
  return trend.is_effective_of_base ? text + " *" : text;
}

/// What effective lengths are, with the bars that these have.
std::string effective_caption(const Analysis& analysis) {
  const std::string bar = percent_words(kEffectiveRecall);
  std::string text = fmt::format(
      "Effective length: the longest context up to which recall is at least {} (≥: nothing longer "
      "was measured; in brackets the range that the 95 % intervals of recall leave open)",
      bar);
  const bool any_of_base =
      std::any_of(analysis.trends.begin(), analysis.trends.end(),
                  [](const TaskTrend& trend) { return trend.is_effective_of_base; });
  if (any_of_base)
    text += fmt::format(
        "; *: at least {} of the base model's recall at the same length, since that finds less "
        "than {} already at the shortest",
        bar, bar);
  return text;
}

}  // namespace

Table recovery_table(const Results& results, const Analysis& analysis, RecoveryRows rows) {
  Table table{"recovery",
              "Part of the lost recall that a restoration brought back: (restored − fine-tuned) / "
              "(base − fine-tuned) on the same samples, with a paired bootstrap interval",
              {{"task", Align::kLeft},
               {"length"},
               {"restoration", Align::kLeft},
               {"n"},
               {"base %"},
               {"fine-tuned %"},
               {"restored %"},
               {"recovered %"},
               {"95 % interval"}},
              {}};
  for (const Recovery& r : analysis.recoveries) {
    if (rows == RecoveryRows::kLosses && !r.recovered) continue;
    table.add_row({task_label(r.task), format_length(r.length), label_of(results.run, r.restored),
                   std::to_string(r.n()), percent(r.base_recall()), percent(r.sft_recall()),
                   percent(r.restored_recall()), recovered_text(r),
                   recovered_interval(r.recovered)});
  }
  return table;
}

Table comparison_table(const Results& results, const Analysis& analysis) {
  Table table{
      "comparisons",
      "Paired comparisons: exact two-sided McNemar test, adjusted by Holm over the cells "
      "of a variant; the smallest drop in one cell that so many pairs would show after Holm "
      "(with probability 0.8, and as many lost and gained by chance as the lesser of "
      "lost and gained); and the change in the right value's log-probability, which moves before "
      "recall does",
      {{"cell", Align::kLeft},
       {"variant", Align::kLeft},
       {"against", Align::kLeft},
       {"pairs"},
       {"lost"},
       {"gained"},
       {"difference, points"},
       {"p"},
       {"p (Holm)"},
       {"would show, points"},
       {"change, nats", Align::kRight, "log-probability of the value"},
       {"95 % interval", Align::kRight, "log-probability of the value"}},
      {}};
  for (const Comparison& c : analysis.comparisons)
    table.add_row({cell_label(c.task, c.length), label_of(results.run, c.variant),
                   label_of(results.run, c.reference), std::to_string(c.pairs.n()),
                   std::to_string(c.pairs.only_first), std::to_string(c.pairs.only_second),
                   signed_number(100 * c.pairs.difference()), p_value(c.p), p_value(c.adjusted),
                   c.detectable ? detectable_points(*c.detectable) : kNone,
                   c.log_prob ? signed_number(c.log_prob->mean, 2) : kNone,
                   c.log_prob ? nats_range(c.log_prob->interval) : kNone});
  return table;
}

Table comparison_numbers(const Results& results, const Analysis& analysis) {
  Table table{"comparisons",
              "Paired comparisons as numbers; a field is empty where there is none",
              {{"kind", Align::kLeft},
               {"task", Align::kLeft},
               {"length"},
               {"variant", Align::kLeft},
               {"against", Align::kLeft},
               {"pairs"},
               {"lost"},
               {"gained"},
               {"difference_points"},
               {"p"},
               {"p_holm"},
               {"would_show_points"},
               {"change_nats"},
               {"change_low"},
               {"change_high"}},
              {}};
  const auto number = [](double value) { return fmt::format("{:.6g}", value); };
  for (const Comparison& c : analysis.comparisons)
    table.add_row({c.kind, c.task, std::to_string(c.length), label_of(results.run, c.variant),
                   label_of(results.run, c.reference), std::to_string(c.pairs.n()),
                   std::to_string(c.pairs.only_first), std::to_string(c.pairs.only_second),
                   number(100 * c.pairs.difference()), number(c.p), number(c.adjusted),
                   c.detectable ? number(100 * *c.detectable) : "",
                   c.log_prob ? number(c.log_prob->mean) : "",
                   c.log_prob ? number(c.log_prob->interval.low) : "",
                   c.log_prob ? number(c.log_prob->interval.high) : ""});
  return table;
}

Table trend_table(const Results& results, const Analysis& analysis) {
  Table table{
      "trends",
      "Trends (Cochran-Armitage, z below 0: recall falls). " + effective_caption(analysis),
      {{"task", Align::kLeft},
       {"variant", Align::kLeft},
       {"effective length"},
       {"z", Align::kRight, "by length"},
       {"p", Align::kRight, "by length"},
       {"z", Align::kRight, "by depth"},
       {"p", Align::kRight, "by depth"}},
      {}};
  const auto z = [](const std::optional<Trend>& t) { return t ? signed_number(t->z, 2) : kNone; };
  const auto p = [](const std::optional<Trend>& t) { return t ? p_value(t->p) : kNone; };
  for (const TaskTrend& t : analysis.trends)
    table.add_row({task_label(t.task), label_of(results.run, t.variant),
                   effective_words(results, t), z(t.by_length), p(t.by_length), z(t.by_depth),
                   p(t.by_depth)});
  return table;
}

Table effective_table(const Results& results, const Analysis& analysis) {
  Table table{"effective",
              effective_caption(analysis),
              {{"variant", Align::kLeft}},
              {}};
  if (results.run.lengths.size() < 2) return table;
  for (const std::string& task : results.run.tasks) table.columns.push_back({task_label(task)});
  for (const VariantInfo& variant : results.run.variants) {
    std::vector<std::string> row = {label_of(results.run, variant)};
    bool any = false;
    for (const std::string& task : results.run.tasks) {
      const auto trend = std::find_if(
          analysis.trends.begin(), analysis.trends.end(), [&](const TaskTrend& t) {
            return t.variant == variant.fingerprint && t.task == task;
          });
      row.push_back(trend == analysis.trends.end() ? kNone : effective_words(results, *trend));
      any = any || row.back() != kNone;
    }
    if (any) table.add_row(std::move(row));
  }
  return table;
}

Table published_table(const Results& results) {
  constexpr const char* kOurs = "this run, and the difference";
  Table table{"published",
              "Published figures of this run's models, in percent, measured by their authors. "
              "Where this run measured the same, the difference (ours less theirs) follows with "
              "Wilson's 95 % interval",
              {{"published model", Align::kLeft},
               {"cell", Align::kLeft},
               {"base", Align::kRight, "published"},
               {"CoT-SFT", Align::kRight, "published"},
               {"QK-Restore", Align::kRight, "published"},
               {"base", Align::kRight, kOurs},
               {"sft", Align::kRight, kOurs},
               {"qk", Align::kRight, kOurs},
               {"source", Align::kLeft}},
              {}};
  const RunInfo& run = results.run;
  for (const PublishedFigure& figure : run.published) {
    const std::string& model = figure.model;
    if (!has_model(run, model)) continue;
    table.add_row({figure.model, figure.cell, number_or_gap(figure.base, 1),
                   number_or_gap(figure.sft, 1), number_or_gap(figure.qk, 1),
                   beside(results, figure, find_role(run, model, Role::kBase), figure.base),
                   beside(results, figure, find_role(run, model, Role::kTuned), figure.sft),
                   beside(results, figure, find_method(run, model, "qk"), figure.qk),
                   figure.source});
  }
  return table;
}

}  // namespace niah::reports
