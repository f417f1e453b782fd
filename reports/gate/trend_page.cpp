#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/analysis/statistics.h"
#include "reports/draw/html.h"
#include "reports/draw/line_chart.h"
#include "reports/draw/recall_chart.h"
#include "reports/format.h"
#include "reports/gate/history.h"
#include "reports/page.h"

namespace niah::reports {
namespace {

constexpr ChartFrame kFrame = {
    .width = 560, .height = 216, .left = 34, .right = 14, .top = 14, .bottom = 26, .inset = 8};
constexpr std::size_t kMostMarks = 60;

/// Kind, model, variant and task: one chart over all nights.
using Series = std::tuple<std::string, std::string, std::string, std::string>;

Series series_of(const NightCell& cell) { return {cell.kind, cell.model, cell.variant, cell.task}; }

double recall_of(const NightCell& cell) {
  return static_cast<double>(cell.hits) / static_cast<double>(cell.n);
}

/// "2026-11-25T03:00:00Z" → "2026-11-25".
std::string day(const std::string& time) { return time.substr(0, 10); }

const NightCell* find(const GateRun& night, const Series& series, std::int64_t length) {
  for (const NightCell& cell : night.cells)
    if (series_of(cell) == series && cell.length == length) return &cell;
  return nullptr;
}

std::string axes(const std::vector<GateRun>& nights) {
  std::string out = kFrame.recall_axis();
  const std::size_t step = (nights.size() + 5) / 6;
  for (std::size_t i = 0; i < nights.size(); i += step)
    out += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{}</text>\n",
                       std::clamp(kFrame.x_of(i, nights.size()), 40.0, kFrame.width - 40),
                       kFrame.height - 6, escape_html(day(nights[i].time)));
  return out;
}

/// Whether the gate found a loss in this series. If only depth bands lost recall, all series count.
bool is_red(const GateRun& night, const Series& series) {
  if (night.exit_code != 1) return false;
  const auto lost = [](const NightCell& cell) {
    return cell.outcome == gate_outcome_name(GateOutcome::kRegression);
  };
  if (std::none_of(night.cells.begin(), night.cells.end(), lost)) return true;
  return std::any_of(night.cells.begin(), night.cells.end(), [&](const NightCell& cell) {
    return lost(cell) && series_of(cell) == series;
  });
}

/// Marks at the top for the nights on which recall was lost.
std::string red_nights(const std::vector<GateRun>& nights, const Series& series) {
  std::string out;
  for (std::size_t i = 0; i < nights.size(); ++i) {
    if (!is_red(nights[i], series)) continue;
    const double x = kFrame.x_of(i, nights.size());
    out += fmt::format(
        "<path class=\"red\" d=\"M{0:.1f} {1}V{2}\"/><path class=\"redmark\" d=\"M{3:.1f} 2h8l-4 "
        "8z\"><title>{4}: recall lost</title></path>\n",
        x, kFrame.top, kFrame.height - kFrame.bottom, x - 4, escape_html(day(nights[i].time)));
  }
  return out;
}

/// The line of one length, interrupted at nights that were not measured.
ChartLine length_line(const std::vector<GateRun>& nights, const Series& series,
                      std::int64_t length) {
  ChartLine line(1);
  for (std::size_t i = 0; i < nights.size(); ++i) {
    const NightCell* cell = find(nights[i], series, length);
    if (cell == nullptr || cell->n == 0) {
      if (!line.back().empty()) line.emplace_back();
      continue;
    }
    const Interval interval = wilson_interval(cell->hits, cell->n);
    const std::string where = fmt::format("{}, {}", day(nights[i].time), format_length(length));
    line.back().push_back(
        {kFrame.x_of(i, nights.size()), recall_of(*cell), interval,
         point_title(where, recall_of(*cell), cell->n, interval) + ", " + cell->outcome});
  }
  return line;
}

std::string line_with_marks(const ChartLine& line, std::size_t place, bool marked) {
  std::string lines, marks;
  for (const std::vector<ChartPoint>& stretch : line) {
    if (stretch.empty()) continue;
    lines += band_svg(kFrame, stretch) + line_svg(kFrame, stretch);
    if (marked) marks += marks_svg(kFrame, stretch, place);
  }
  return fmt::format("<g class=\"{}\">{}</g>\n", series_class(place), lines + marks);
}

Table figures(const std::vector<GateRun>& nights, const Series& series,
              const std::vector<std::int64_t>& lengths) {
  Table table{"trend",
              "Recall in percent with its 95 % interval, and what the gate said",
              {{"night", Align::kLeft}},
              {}};
  for (const std::int64_t length : lengths)
    table.columns.push_back({length > 0 ? format_length(length) : "recall", Align::kLeft});
  for (auto night = nights.rbegin(); night != nights.rend(); ++night) {
    std::vector<std::string> row = {night->time};
    for (const std::int64_t length : lengths) {
      const NightCell* cell = find(*night, series, length);
      if (cell == nullptr || cell->n == 0) {
        row.push_back(cell == nullptr ? std::string(kGap) : cell->outcome);
        continue;
      }
      row.push_back(fmt::format("{} ({}), n = {}, {}", percent(recall_of(*cell)),
                                percent_range(wilson_interval(cell->hits, cell->n)), cell->n,
                                cell->outcome));
    }
    table.add_row(row);
  }
  return table;
}

std::string series_figure(const std::vector<GateRun>& nights, const Series& series) {
  std::set<std::int64_t> found;
  for (const GateRun& night : nights)
    for (const NightCell& cell : night.cells)
      if (series_of(cell) == series) found.insert(cell.length);
  const std::vector<std::int64_t> lengths(found.begin(), found.end());
  const auto& [kind, model, variant, task] = series;
  const std::string name = fmt::format("{} {}: {}", model, variant, task_label(task));
  std::vector<ChartLine> by_length;
  for (const std::int64_t length : lengths)
    by_length.push_back(length_line(nights, series, length));
  spread(kFrame, by_length);
  std::string lines, legend;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    lines += line_with_marks(by_length[i], i, nights.size() <= kMostMarks);
    legend += fmt::format("<span class=\"key\">{} {}</span> ", series_key_svg(i),
                          lengths[i] > 0 ? format_length(lengths[i]) : "all");
  }
  return fmt::format(
      "<figure>\n<figcaption>{}</figcaption>\n<p class=\"keys\">{}</p>\n<svg class=\"chart\" "
      "role=\"img\" aria-label=\"{}: recall in percent by night; the numbers stand in the table "
      "below\" viewBox=\"0 0 {} {}\">\n{}{}{}</svg>\n<details><summary>The "
      "figures</summary>\n{}</details>\n</figure>\n",
      html_text(name), legend, escape_html(name), kFrame.width, kFrame.height, axes(nights), lines,
      red_nights(nights, series), html_table(figures(nights, series, lengths)));
}

std::string verdict_word(int exit_code) {
  switch (exit_code) {
    case 0:
      return "passed";
    case 1:
      return "recall lost";
    case 4:
      return "inconclusive";
    default:
      return "not measured";
  }
}

std::string list_item(const GateRun& night, const std::string& sentence) {
  return "<li>" + html_text(day(night.time) + "  " + sentence) + "</li>\n";
}

std::string section_of(std::string_view title, const std::string& items) {
  return items.empty() ? "" : fmt::format("<h2>{}</h2>\n<ul>\n{}</ul>\n", title, items);
}

/// What went wrong, latest night first.
std::string troubles(const std::vector<GateRun>& nights) {
  std::string lost, refused;
  for (auto night = nights.rbegin(); night != nights.rend(); ++night) {
    for (const std::string& sentence : night->regressions) lost += list_item(*night, sentence);
    if (!night->refused.empty()) refused += list_item(*night, night->refused);
  }
  return section_of("Where recall was lost", lost) +
         section_of("Nights that were not compared", refused);
}

}  // namespace

std::string trend_page(const std::vector<GateRun>& nights, const std::string& title) {
  std::vector<Series> all;
  std::map<int, int> verdicts;
  for (const GateRun& night : nights) {
    ++verdicts[night.exit_code];
    for (const NightCell& cell : night.cells)
      if (std::find(all.begin(), all.end(), series_of(cell)) == all.end())
        all.push_back(series_of(cell));
  }
  std::string tally;
  for (const auto& [code, count] : verdicts)
    tally += fmt::format("{}{} {}", tally.empty() ? "" : ", ", count, verdict_word(code));
  std::string body = fmt::format(
      "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}: {}. A red triangle marks a night on which the "
      "gate found recall lost.</p>\n</header>\n<main>\n",
      html_text(title), counted(static_cast<std::int64_t>(nights.size()), "night"), tally);
  body += "<section>\n" + troubles(nights);
  for (const Series& series : all) body += series_figure(nights, series);
  body += "</section>\n";
  constexpr std::string_view kStyle =
      ".red{stroke:#d1242f;stroke-width:1;stroke-dasharray:3 3;opacity:.7}.redmark{fill:#d1242f}"
      ".key{white-space:nowrap;margin-right:14px;font-size:13px}"
      ".key svg{display:inline;width:22px;height:8px;vertical-align:middle}"
      "figure{margin:32px 0 0}figcaption,figure details{padding:0}.keys{margin:4px 0}"
      ".chart{max-width:760px}\n";
  return page_head(title, kStyle) + body + "</main>\n</body>\n</html>\n";
}

}  // namespace niah::reports
