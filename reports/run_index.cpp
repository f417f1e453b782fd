#include "reports/run_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "reports/analysis/variant_labels.h"
#include "reports/draw/html.h"
#include "reports/draw/table.h"
#include "reports/format.h"
#include "reports/page.h"

namespace niah::reports {
namespace {

using Recall = IndexedRun::Recall;

const Recall* find_recall(const IndexedRun& run, const Recall& like) {
  const auto found = std::find_if(run.recalls.begin(), run.recalls.end(), [&](const Recall& one) {
    return one.variant == like.variant && one.cell == like.cell;
  });
  return found == run.recalls.end() ? nullptr : &*found;
}

/// The rows of all runs, those of the first one first.
std::vector<Recall> all_rows(const std::vector<IndexedRun>& runs) {
  IndexedRun all;
  for (const IndexedRun& run : runs)
    for (const Recall& recall : run.recalls)
      if (find_recall(all, recall) == nullptr) all.recalls.push_back(recall);
  return all.recalls;
}

std::string recall_words(const Recall* recall) {
  if (recall == nullptr || recall->n == 0) return std::string(kGap);
  return fmt::format("{} (n = {})",
                     percent(static_cast<double>(recall->hits) / static_cast<double>(recall->n)),
                     recall->n);
}

Table recall_table(const std::vector<IndexedRun>& runs) {
  Table table{"haystacks",
              "Recall in percent, by haystack",
              {{"variant", Align::kLeft}, {"cell", Align::kLeft}},
              {}};
  for (const IndexedRun& run : runs) table.columns.push_back({run.haystack});
  for (const Recall& row : all_rows(runs)) {
    std::vector<std::string> cells = {row.variant, row.cell};
    for (const IndexedRun& run : runs) cells.push_back(recall_words(find_recall(run, row)));
    table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace

IndexedRun indexed_run(const std::string& haystack, const Results& results) {
  IndexedRun run{haystack, results.run.haystack, {}};
  for (const Cell& cell : results.cells)
    if (cell.kind == "recall" && cell.n > 0)
      run.recalls.push_back({label_of(results.run, cell.variant),
                             cell_label(cell.task, cell.length), cell.hits, cell.n});
  return run;
}

std::string run_index(const std::string& title, const std::vector<IndexedRun>& runs) {
  std::string out = page_head(title) + fmt::format("<header>\n<h1>{}</h1>\n", html_text(title));
  out +=
      "<p class=\"lead\">A short fact (the needle) is hidden in a long text (the haystack), and "
      "the "
      "model is asked for it. The same questions were asked in several haystacks, each in a run of "
      "its own.</p>\n</header>\n<main>\n" +
      html_table(recall_table(runs)) + "<dl>\n";
  for (const IndexedRun& run : runs)
    out += fmt::format("<dt>{0}</dt><dd><a href=\"{0}/report.html\">Report</a>: {1}</dd>\n",
                       html_text(run.haystack), html_text(with_fingerprint_named(run.text)));
  return out + "</dl>\n</main>\n</body>\n</html>\n";
}

}  // namespace niah::reports
