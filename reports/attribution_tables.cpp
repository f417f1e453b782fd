// The tables of what parts of the weights brought back.
#include <string>
#include <vector>

#include "reports/analysis/attribution.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

constexpr const char* kAloneGroup = "the part alone put back";
constexpr const char* kAllButGroup = "everything but the part";

/// Adds the two cells of what came back.
void add_recovered(std::vector<std::string>& row, const Recovered* recovered) {
  row.push_back(recovered == nullptr ? kNone : percent_signed(recovered->fraction));
  row.push_back(recovered == nullptr ? kNone : recovered_range(*recovered));
}

/// Adds one column per reasoning set.
void add_reasoning_columns(Table& table, const Results& results, const std::string& group) {
  for (const std::string& task : results.reasoning_tasks())
    table.columns.push_back({task + " %", Align::kRight, group});
}

/// Adds what a variant solves of each reasoning set.
void add_reasoning(std::vector<std::string>& row, const Results& results,
                   const std::string& variant) {
  for (const std::string& task : results.reasoning_tasks()) {
    const Cell* cell = results.reasoning_cell(variant, task);
    row.push_back(cell == nullptr || cell->n == 0 ? kNone : percent(cell->recall()));
  }
}

/// What the fine-tune itself solves, to compare its restorations with.
void add_fine_tune(Table& table, const Results& results, const Attribution& attribution) {
  const VariantInfo* restored = find_variant(results.run, attribution.alone.front().variant);
  const VariantInfo* tuned = find_variant(results.run, restored->model, restored->fine_tune);
  if (results.reasoning_tasks().empty() || tuned == nullptr) return;
  std::vector<std::string> row = {attribution.model, "none: " + label_of(results.run, *tuned)};
  add_recovered(row, nullptr);
  add_recovered(row, nullptr);
  add_reasoning(row, results, tuned->fingerprint);
  table.add_row(std::move(row));
}

}  // namespace

Table attribution_table(const Results& results, const Analysis& analysis) {
  Table table{"attribution",
              "Part of the lost recall that each part of the weights brought back over all cells "
              "together, with a paired bootstrap interval",
              {{"model", Align::kLeft},
               {"part", Align::kLeft},
               {"brought back %", Align::kRight, kAloneGroup},
               {"95 % interval", Align::kRight, kAloneGroup},
               {"brought back %", Align::kRight, kAllButGroup},
               {"95 % interval", Align::kRight, kAllButGroup}},
              {}};
  if (!results.reasoning_tasks().empty())
    table.caption += "; and what is solved of reasoning sets with the part alone put back";
  add_reasoning_columns(table, results, "reasoning, the part alone put back");
  for (const Attribution& attribution : analysis.attributions) {
    for (const PartEffect& effect : attribution.alone) {
      const PartEffect* rest = attribution.without(effect.part);
      std::vector<std::string> row = {attribution.model, part_in_words(effect.part)};
      add_recovered(row, &effect.recovered);
      add_recovered(row, rest == nullptr ? nullptr : &rest->recovered);
      add_reasoning(row, results, effect.variant);
      table.add_row(std::move(row));
    }
    add_fine_tune(table, results, attribution);
  }
  return table;
}

Table path_table(const Results& results, const Analysis& analysis) {
  Table table{"path",
              "Parts put back one after the other, each time the one of those asked that brought "
              "back the most; p: McNemar's exact two-sided test against the step before, times "
              "the parts asked",
              {{"model", Align::kLeft},
               {"step"},
               {"put back besides", Align::kLeft},
               {"parts asked"},
               {"brought back %"},
               {"95 % interval"},
               {"p"}},
              {}};
  add_reasoning_columns(table, results, "reasoning");
  for (const Attribution& attribution : analysis.attributions) {
    if (!attribution.path.is_followed()) continue;
    std::size_t number = 0;
    for (const PathStep& step : attribution.path.steps) {
      std::vector<std::string> row = {attribution.model, std::to_string(++number),
                                      part_in_words(step.added), std::to_string(step.asked)};
      add_recovered(row, &step.effect.recovered);
      row.push_back(number == 1 ? kNone : p_value(step.p));
      add_reasoning(row, results, step.effect.variant);
      table.add_row(std::move(row));
    }
  }
  return table;
}

}  // namespace niah::reports
