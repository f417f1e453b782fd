#include "reports/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/base/units.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/gradient_chart.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// Added to the captions of tables of recall.
constexpr const char* kWhatIsMissing = " (–: not measured, ·: not asked)";

/// A cell's recall, or what stands in its place.
std::string recall_or_gap(const Cell* cell, bool is_asked) {
  if (cell != nullptr && cell->n > 0) return percent(cell->recall());
  return is_asked ? kNone : kNotAsked;
}

std::string band_recall(const DepthBand& band, bool is_asked) {
  if (band.n == 0) return is_asked || band.unmeasured > 0 ? kNone : kNotAsked;
  return percent(static_cast<double>(band.hits) / static_cast<double>(band.n), 0);
}

std::string band_title(const DepthBand& band) {
  return fmt::format("{:g}–{:g}", band.low, band.high);
}

void add_variant_columns(Table& table, const Results& results) {
  for (const VariantInfo& variant : results.run.variants) {
    const std::string label = label_of(results.run, variant);
    table.columns.push_back({"%", Align::kRight, label});
    table.columns.push_back({"n", Align::kRight, label});
    table.columns.push_back({"95 % interval", Align::kRight, label});
  }
}

void add_variant_cells(std::vector<std::string>& row, const Cell* cell, bool is_asked) {
  const bool measured = cell != nullptr && cell->n > 0;
  row.push_back(recall_or_gap(cell, is_asked));
  row.push_back(measured ? std::to_string(cell->n) : "0");
  row.push_back(measured ? percent_range(cell->interval()) : row[row.size() - 2]);
}

std::vector<std::string> reasons_of(const Results& results) {
  std::set<std::string> reasons;
  for (const Cell& cell : results.cells)
    for (const auto& [reason, count] : cell.unmeasured) reasons.insert(reason);
  return {reasons.begin(), reasons.end()};
}

std::string count_of(const std::map<std::string, std::int64_t>& counts, const std::string& key) {
  const auto at = counts.find(key);
  return at == counts.end() ? "0" : std::to_string(at->second);
}

}  // namespace

std::vector<std::string> miss_classes_of(const Results& results) {
  std::set<std::string> classes;
  for (const Cell& cell : results.cells)
    for (const auto& [miss, count] : cell.misses) classes.insert(miss);
  std::vector<std::string> sorted(classes.begin(), classes.end());
  std::stable_partition(sorted.begin(), sorted.end(),
                        [](const std::string& miss) { return !is_format_miss(miss); });
  return sorted;
}

Table summary_table(const Results& results) {
  Table table{
      "summary",
      std::string("Recall in percent by task and length, with n and Wilson's 95 % interval") +
          kWhatIsMissing,
      {{"task", Align::kLeft}, {"length"}},
      {}};
  add_variant_columns(table, results);
  for (const std::string& task : results.run.tasks) {
    for (const std::int64_t length : results.run.lengths) {
      std::vector<std::string> row = {task_label(task), format_length(length)};
      for (const VariantInfo& variant : results.run.variants)
        add_variant_cells(row, results.recall_cell(variant.fingerprint, task, length),
                          results.asks(task, length));
      table.add_row(std::move(row));
    }
  }
  return table;
}

namespace {

/// The variants' labels, cut short unless that makes two of them the same.
std::vector<std::string> short_labels(const RunInfo& run) {
  constexpr std::size_t kMost = 20;
  std::map<std::string, int> uses;
  for (const VariantInfo& variant : run.variants) ++uses[shorten(label_of(run, variant), kMost)];
  std::vector<std::string> labels;
  for (const VariantInfo& variant : run.variants) {
    const std::string label = label_of(run, variant);
    const std::string cut = shorten(label, kMost);
    labels.push_back(uses.at(cut) == 1 ? cut : label);
  }
  return labels;
}

}  // namespace

Table compact_summary_table(const Results& results) {
  Table table{"summary", "Recall in percent", {{"cell", Align::kLeft}, {"n"}}, {}};
  for (const std::string& label : short_labels(results.run)) table.columns.push_back({label});
  for (const std::string& task : results.run.tasks) {
    for (const std::int64_t length : results.run.lengths) {
      std::vector<const Cell*> cells;
      std::int64_t most = 0;
      for (const VariantInfo& variant : results.run.variants) {
        cells.push_back(results.recall_cell(variant.fingerprint, task, length));
        if (cells.back() != nullptr) most = std::max(most, cells.back()->n);
      }
      std::vector<std::string> row = {task_label(task) + " " + format_length(length),
                                      std::to_string(most)};
      for (const Cell* cell : cells) {
        const bool fewer = cell != nullptr && cell->n > 0 && cell->n != most;
        row.push_back(recall_or_gap(cell, results.asks(task, length)) +
                      (fewer ? fmt::format(" (n={})", cell->n) : ""));
      }
      table.add_row(std::move(row));
    }
  }
  return table;
}

Table depth_table(const Results& results, const std::string& task) {
  Table table{"depth-" + file_stem(task),
              fmt::format("{}: recall in percent by depth of the needle, percent of the haystack{}",
                          task_label(task), kWhatIsMissing),
              {{"variant", Align::kLeft}, {"length"}, {"n"}},
              {}};
  const int bands = results.depth_bands_of(task);
  for (const DepthBand& band : depth_bands(Cell{}, bands))
    table.columns.push_back({band_title(band)});
  for (const VariantInfo& variant : results.run.variants) {
    for (const std::int64_t length : results.run.lengths) {
      const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
      std::vector<std::string> row = {label_of(results.run, variant), format_length(length),
                                      std::to_string(cell == nullptr ? 0 : cell->n)};
      const bool is_asked = cell == nullptr ? results.asks(task, length) : !results.is_whole(*cell);
      for (const DepthBand& band : depth_bands(cell == nullptr ? Cell{} : *cell, bands))
        row.push_back(band_recall(band, is_asked));
      table.add_row(std::move(row));
    }
  }
  return table;
}

Table miss_table(const Results& results) {
  const std::vector<std::string> classes = miss_classes_of(results);
  const std::vector<std::string> reasons = reasons_of(results);
  Table table{
      "misses",
      "Why answers missed; format misses say nothing about retrieval, and what could not be "
      "measured is not in n",
      {{"cell", Align::kLeft}, {"variant", Align::kLeft}, {"n"}, {"hits"}},
      {}};
  for (const std::string& miss : classes)
    table.columns.push_back(
        {miss_label(miss), Align::kRight, is_format_miss(miss) ? "format misses" : "misses"});
  for (const std::string& reason : reasons)
    table.columns.push_back({outcome_label(reason), Align::kRight, "not measured"});
  for (const Cell& cell : results.cells) {
    if (cell.hits == cell.n && cell.unmeasured.empty()) continue;
    std::vector<std::string> row = {cell_label(cell.task, cell.length),
                                    label_of(results.run, cell.variant), std::to_string(cell.n),
                                    std::to_string(cell.hits)};
    for (const std::string& miss : classes) row.push_back(count_of(cell.misses, miss));
    for (const std::string& reason : reasons) row.push_back(count_of(cell.unmeasured, reason));
    table.add_row(std::move(row));
  }
  return table;
}

Table value_table(const Results& results) {
  Table table{"values",
              "How likely the right value was, answered or not: its mean log-probability in nats "
              "(0: certain), and the median over samples of its worst token's rank (1: first "
              "choice throughout)",
              {{"task", Align::kLeft}, {"length"}},
              {}};
  for (const VariantInfo& variant : results.run.variants) {
    const std::string label = label_of(results.run, variant);
    table.columns.push_back({"nats", Align::kRight, label});
    table.columns.push_back({"rank", Align::kRight, label});
  }
  for (const std::string& task : results.run.tasks) {
    for (const std::int64_t length : results.run.lengths) {
      std::vector<std::string> row = {task_label(task), format_length(length)};
      bool any = false;
      for (const VariantInfo& variant : results.run.variants) {
        const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
        const bool known = cell != nullptr && cell->mean_log_prob;
        any = any || known;
        row.push_back(known ? signed_number(*cell->mean_log_prob, 2) : kNone);
        row.push_back(known && cell->median_rank ? fmt::format("{:g}", *cell->median_rank) : kNone);
      }
      if (any) table.add_row(std::move(row));
    }
  }
  return table;
}

Table reasoning_table(const Results& results) {
  Table table{"reasoning",
              "Problems solved, in percent, with n and Wilson's 95 % interval",
              {{"set", Align::kLeft}},
              {}};
  add_variant_columns(table, results);
  for (const std::string& task : results.reasoning_tasks()) {
    std::vector<std::string> row = {task};
    for (const VariantInfo& variant : results.run.variants)
      add_variant_cells(row, results.reasoning_cell(variant.fingerprint, task), true);
    table.add_row(std::move(row));
  }
  return table;
}

Table cell_table(const Results& results) {
  Table table{"cells",
              "Every cell",
              {{"kind", Align::kLeft},
               {"task", Align::kLeft},
               {"length"},
               {"model", Align::kLeft},
               {"variant", Align::kLeft},
               {"n"},
               {"hits"},
               {"recall"},
               {"recall_low"},
               {"recall_high"},
               {"format_misses"},
               {"not_measured"},
               {"real_length_mean"},
               {"real_length_min"},
               {"value_log_prob_mean"},
               {"value_rank_median"}},
              {}};
  const auto number = [](double value) { return fmt::format("{:.6g}", value); };
  const auto optional_number = [&](const std::optional<double>& value) {
    return value ? number(*value) : std::string();
  };
  for (const Cell& cell : results.cells) {
    const VariantInfo* variant = find_variant(results.run, cell.variant);
    const bool measured = cell.n > 0;
    table.add_row({cell.kind, cell.task, std::to_string(cell.length),
                   variant == nullptr ? "" : variant->model,
                   variant == nullptr ? cell.variant : variant->name, std::to_string(cell.n),
                   std::to_string(cell.hits), measured ? number(cell.recall()) : "",
                   measured ? number(cell.interval().low) : "",
                   measured ? number(cell.interval().high) : "",
                   std::to_string(cell.format_misses()), std::to_string(cell.unmeasured_count()),
                   measured ? number(cell.mean_real_length) : "",
                   measured ? std::to_string(cell.min_real_length) : "",
                   optional_number(cell.mean_log_prob), optional_number(cell.median_rank)});
  }
  return table;
}

Table depth_point_table(const Results& results) {
  Table table{"depths",
              "Every depth that was asked for",
              {{"task", Align::kLeft},
               {"length"},
               {"model", Align::kLeft},
               {"variant", Align::kLeft},
               {"depth"},
               {"n"},
               {"hits"}},
              {}};
  for (const Cell& cell : results.cells) {
    if (cell.kind != "recall") continue;
    const VariantInfo* variant = find_variant(results.run, cell.variant);
    for (const DepthBand& point : depth_points(cell))
      table.add_row(
          {cell.task, std::to_string(cell.length), variant == nullptr ? "" : variant->model,
           variant == nullptr ? cell.variant : variant->name, fmt::format("{:.6g}", point.low),
           std::to_string(point.n), std::to_string(point.hits)});
  }
  return table;
}

Table for_reading(Table table, const RunInfo& run) {
  if (!has_one_checkpoint(run)) return table;
  for (Column& column : table.columns)
    if (column.title == "variant") column.title = "checkpoint";
  return table;
}

std::vector<Table> all_tables(const Results& results, const Analysis& analysis) {
  std::vector<Table> tables = {summary_table(results),
                               recovery_table(results, analysis, RecoveryRows::kAll),
                               attribution_table(results, analysis),
                               path_table(results, analysis),
                               comparison_table(results, analysis),
                               served_table(results, analysis),
                               served_depth_table(results, analysis),
                               reasoning_table(results),
                               trend_table(results, analysis),
                               effective_table(results, analysis)};
  for (const std::string& task : results.run.tasks) tables.push_back(depth_table(results, task));
  tables.push_back(miss_table(results));
  tables.push_back(value_table(results));
  tables.push_back(published_table(results));
  tables.push_back(gradient_table(results.run.gradients));
  tables.push_back(cell_table(results));
  tables.push_back(depth_point_table(results));
  std::erase_if(tables, [](const Table& table) { return table.rows.empty(); });
  return tables;
}

}  // namespace niah::reports
