#include "reports/companion.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "reports/analysis/findings.h"
#include "reports/analysis/variant_labels.h"
#include "reports/attribution_section.h"
#include "reports/draw/html.h"
#include "reports/draw/table.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// Recall of every cell and what is solved of reasoning sets, one row per variant.
Table companion_table(const Results& results) {
  Table table{"variants",
              "Recall of every cell, and what is solved of reasoning sets, in percent",
              {{"variant", Align::kLeft}},
              {}};
  std::vector<std::pair<std::string, std::int64_t>> cells;
  for (const std::string& task : results.run.tasks)
    for (const std::int64_t length : results.run.lengths) {
      cells.emplace_back(task, length);
      table.columns.push_back({cell_label(task, length)});
    }
  for (const std::string& task : results.reasoning_tasks()) table.columns.push_back({task});
  const auto figure = [](const Cell* cell) {
    return cell == nullptr || cell->n == 0
               ? kNone
               : fmt::format("{} ({})", percent(cell->recall()), cell->n);
  };
  for (const VariantInfo& variant : results.run.variants) {
    std::vector<std::string> row = {label_of(results.run, variant)};
    for (const auto& [task, length] : cells)
      row.push_back(figure(results.recall_cell(variant.fingerprint, task, length)));
    for (const std::string& task : results.reasoning_tasks())
      row.push_back(figure(results.reasoning_cell(variant.fingerprint, task)));
    table.add_row(std::move(row));
  }
  table.caption += " (n in brackets)";
  return table;
}

}  // namespace

Companion companion_of(const Results& results, const Analysis& analysis,
                       const std::string& folder) {
  const Findings findings = findings_in_words(results, analysis);
  std::string html;
  for (const std::string& headline : findings.headlines)
    html += fmt::format("<p>{}</p>\n", html_text(headline));
  html += html_list(results.run.caveats) + html_list(findings.warnings) +
          html_table(companion_table(results)) + attribution_section(results, analysis) +
          html_links({folder + "/report.html"});
  return {results.run.title.empty() ? results.run.name : results.run.title, html};
}

Companion unread_companion(const std::string& folder, const std::string& reason) {
  return {folder, fmt::format("<p>This run could not be read: {}</p>\n", html_text(reason))};
}

}  // namespace niah::reports
