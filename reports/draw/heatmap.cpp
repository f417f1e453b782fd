#include "reports/draw/heatmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/analysis/comparisons.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/palette.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

constexpr int kCellHeight = 17;
constexpr int kSignedCell = 34;    ///< width of a cell that has room for "−100" and its n
constexpr double kRoomForN = 1.5;  ///< by which a value moves aside for its n
constexpr int kLegendWidth = 300;
constexpr int kLegendHeight = 54;

/// Dimensions that depend on the number of columns and on what surrounds the grid.
struct Layout {
  int cell = 0;  ///< width of a cell
  bool text = true;
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
  int grid_width = 0;
  int grid_height = 0;
};

Layout layout_of(const Heatmap& map, SvgUse use) {
  const auto columns = static_cast<int>(map.columns.size());
  const auto rows = static_cast<int>(map.rows.size());
  Layout layout;
  layout.text = columns <= 24;
  layout.cell = columns <= 12 ? 27 : layout.text ? 24 : 14;
  if (layout.text && map.scale == Scale::kDifference) layout.cell = kSignedCell;
  layout.grid_width = columns * layout.cell;
  layout.grid_height = rows * kCellHeight;
  const bool alone = use == SvgUse::kFile;
  layout.left = alone ? 66 : 24;
  layout.top = alone ? 34 : 6;
  layout.width = layout.left + layout.grid_width + (alone ? 24 : 8);
  if (alone) layout.width = std::max(layout.width, layout.left + kLegendWidth + 24);
  layout.height = layout.top + layout.grid_height + (alone ? 122 : 22);
  return layout;
}

Colour colour_of(Scale scale, double value) {
  return scale == Scale::kRecall ? recall_colour(value) : difference_colour(value);
}

std::string value_text(Scale scale, double value) {
  return scale == Scale::kRecall ? percent(value, 0) : signed_number(100 * value, 0);
}

std::string tip_text(const Heatmap& map, std::size_t row, std::size_t column) {
  const HeatmapCell& cell = map.cells[row][column];
  const std::string where =
      fmt::format("depth {} %, length {}: ", map.rows[row], map.columns[column]);
  if (!cell.value) return where + (cell.is_asked ? "not measured" : "not asked");
  const std::string value = value_text(map.scale, *cell.value);
  return where + value + (map.scale == Scale::kRecall ? " %" : " points") +
         fmt::format(" (n = {})", cell.n);
}

/// The value in the middle of its square, and n in the corner where it is small.
std::string figures_svg(const Heatmap& map, const Layout& layout, const HeatmapCell& cell, int x,
                        int y) {
  const bool is_sparse = cell.n < kSparse;
  const double width = layout.cell - 1, height = kCellHeight - 1;
  const std::string ink = hex(ink_on(colour_of(map.scale, *cell.value)));
  std::string out;
  if (layout.text)
    out += fmt::format("<text class=\"value\" x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>",
                       x + width / 2 - (is_sparse ? kRoomForN : 0), y + height / 2 + 3.4, ink,
                       escape_html(value_text(map.scale, *cell.value)));
  if (is_sparse)
    out += fmt::format("<text class=\"n\" x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>", x + width - 1,
                       y + height - 1.5, ink, cell.n);
  return out;
}

std::string cell_svg(const Heatmap& map, const Layout& layout, std::size_t row,
                     std::size_t column) {
  const HeatmapCell& cell = map.cells[row][column];
  const int x = layout.left + static_cast<int>(column) * layout.cell;
  const int y = layout.top + static_cast<int>(row) * kCellHeight;
  const std::string tip = escape_html(tip_text(map, row, column));
  const int width = layout.cell - 1;
  const int height = kCellHeight - 1;
  if (!cell.value && !cell.is_asked)
    return fmt::format(
        "<g><title>{}</title><rect class=\"blank\" x=\"{}\" y=\"{}\" width=\"{}\" "
        "height=\"{}\"/></g>\n",
        tip, x, y, width, height);
  if (!cell.value)
    return fmt::format(
        "<g><title>{}</title><rect class=\"gap\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
        "fill=\"url(#{}-gap)\"/></g>\n",
        tip, x, y, width, height, map.id);
  return fmt::format(
      "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
      "fill=\"{}\"/>{}</g>\n",
      tip, x, y, width, height, hex(colour_of(map.scale, *cell.value)),
      figures_svg(map, layout, cell, x, y));
}

std::string row_ticks(const Heatmap& map, const Layout& layout) {
  std::string out;
  const std::array<std::pair<double, const char*>, 3> ticks = {
      {{0.0, "0"}, {0.5, "50"}, {1.0, "100"}}};
  if (map.rows.empty()) return out;
  for (const auto& [share, label] : ticks)
    out += fmt::format("<text class=\"tick end\" x=\"{}\" y=\"{}\">{}</text>\n", layout.left - 5,
                       layout.top + share * (layout.grid_height - 9) + 8, label);
  return out;
}

std::string column_ticks(const Heatmap& map, const Layout& layout) {
  // In narrow columns the labels would overlap.
  const std::size_t step = layout.cell >= 24 ? 1 : 3;
  std::string out;
  for (std::size_t i = 0; i < map.columns.size(); i += step)
    out += fmt::format("<text class=\"tick mid\" x=\"{}\" y=\"{}\">{}</text>\n",
                       layout.left + (static_cast<double>(i) + 0.5) * layout.cell - 0.5,
                       layout.top + layout.grid_height + 13, escape_html(map.columns[i]));
  return out;
}

// Diagonal stripes without a patternTransform, which would dominate the rendering time.
std::string gap_pattern(const std::string& id) {
  return fmt::format(
      "<defs><pattern id=\"{}-gap\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
      "<path class=\"hatch\" d=\"M-1 1l2-2M0 6l6-6M5 7l2-2\"/></pattern></defs>\n",
      id);
}

/// The colour bar with labelled ends, at (x, y).
std::string legend_parts(Scale scale, const std::string& id, int x, int y) {
  constexpr int kSteps = 20;
  constexpr int kStepWidth = 7;
  const bool recall = scale == Scale::kRecall;
  std::string out;
  for (int i = 0; i < kSteps; ++i) {
    const double share = static_cast<double>(i) / (kSteps - 1);
    out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"10\" fill=\"{}\"/>",
                       x + i * kStepWidth, y, kStepWidth,
                       hex(colour_of(scale, recall ? share : 2 * share - 1)));
  }
  const std::array<const char*, 3> labels =
      recall ? std::array{"0 %", "50", "100 % found"} : std::array{"−100", "0", "+100 points"};
  const int bar = kSteps * kStepWidth;
  out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\">{}</text>", x, y + 22, labels[0]);
  out += fmt::format("<text class=\"tick mid\" x=\"{}\" y=\"{}\">{}</text>", x + bar / 2, y + 22,
                     labels[1]);
  out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\">{}</text>", x + bar - 18, y + 22,
                     labels[2]);
  out += fmt::format(
      "<rect class=\"gap\" x=\"{0}\" y=\"{1}\" width=\"20\" height=\"10\" fill=\"url(#{2}-gap)\"/>"
      "<text class=\"tick\" x=\"{0}\" y=\"{3}\">not measured</text>\n",
      x + bar + 70, y, id, y + 22);
  out += fmt::format(
      "<rect class=\"blank\" x=\"{0}.5\" y=\"{1}.5\" width=\"20\" height=\"10\"/>"
      "<text class=\"tick\" x=\"{2}\" y=\"{3}\">not asked; a small figure is n, below {4}</text>\n",
      x, y + 34, x + 26, y + 43, kSparse);
  return out;
}

// Plain text has no fill here: it would override the fill that contrasts with each cell's colour.
constexpr std::string_view kFileStyle =
    "<style>text{font:11px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}"
    ".value{font-size:9.5px;text-anchor:middle}.n{font-size:6.5px;text-anchor:end}.tick,.axis{fill:"
    "#57606a;font-size:9.5px}"
    ".mid{text-anchor:middle}.end{text-anchor:end}.head{font-size:13px;font-weight:600;"
    "fill:#1f2328}.gap{stroke:#8c959f;stroke-width:.5}.hatch{stroke:#8c959f}.paper{fill:#fff}"
    ".blank{fill:none;stroke:#8c959f;stroke-width:.5;stroke-dasharray:1 2}"
    "@media(prefers-color-scheme:dark){.head{fill:#e6edf3}.tick,.axis{fill:#9198a1}"
    ".paper{fill:#0d1117}}</style>\n";

std::string file_surroundings(const Heatmap& map, const Layout& layout) {
  const double middle_x = layout.left + layout.grid_width / 2.0;
  const double middle_y = layout.top + layout.grid_height / 2.0;
  const int below = layout.top + layout.grid_height;
  return fmt::format(
             "<rect class=\"paper\" width=\"{}\" height=\"{}\"/>\n"
             "<text class=\"head\" x=\"14\" y=\"20\">{}</text>\n"
             "<text class=\"axis mid\" x=\"{}\" y=\"{}\">context length (tokens)</text>\n"
             "<text class=\"axis mid\" transform=\"translate(26 {}) rotate(-90)\">needle depth "
             "(% of haystack)</text>\n",
             layout.width, layout.height, escape_html(map.title), middle_x, below + 30, middle_y) +
         legend_parts(map.scale, map.id, layout.left, below + 52);
}

Heatmap empty_heatmap(const Results& results, const std::string& task) {
  Heatmap map;
  for (const std::int64_t length : results.run.lengths)
    map.columns.push_back(format_length(length));
  for (const DepthBand& band : depth_bands(Cell{}, results.depth_bands_of(task)))
    map.rows.push_back(fmt::format("{:g}–{:g}", band.low, band.high));
  map.cells.assign(map.rows.size(), std::vector<HeatmapCell>(map.columns.size()));
  return map;
}

/// Marks the squares of a column for which no sample was asked: the plan lacks the cell, or no
/// needle of it stands at that depth.
void mark_asked(const Results& results, const std::string& task, std::size_t column,
                const std::vector<const Cell*>& cells, Heatmap& map) {
  const std::int64_t length = results.run.lengths[column];
  const auto may_have_more = [&](const Cell* cell) {
    return cell == nullptr ? results.asks(task, length) : !results.is_whole(*cell);
  };
  const bool anywhere = std::any_of(cells.begin(), cells.end(), may_have_more);
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    const auto has_samples = [&](const Cell* cell) {
      if (cell == nullptr) return false;
      const DepthBand band = depth_bands(*cell, static_cast<int>(map.rows.size())).at(row);
      return band.n + band.unmeasured > 0;
    };
    map.cells[row][column].is_asked =
        anywhere || std::any_of(cells.begin(), cells.end(), has_samples);
  }
}

std::string id_of(const Results& results, const std::string& prefix, const VariantInfo& variant,
                  const std::string& task) {
  const auto place = &variant - results.run.variants.data();
  const auto at = std::find(results.run.tasks.begin(), results.run.tasks.end(), task);
  return fmt::format("{}-{}-{}", prefix, at - results.run.tasks.begin(), place);
}

}  // namespace

Heatmap recall_heatmap(const Results& results, const VariantInfo& variant,
                       const std::string& task) {
  Heatmap map = empty_heatmap(results, task);
  map.id = id_of(results, "recall", variant, task);
  map.title = fmt::format("{}: recall of {}", task_label(task), label_of(results.run, variant));
  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    const std::int64_t length = results.run.lengths[column];
    const Cell* cell = results.recall_cell(variant.fingerprint, task, length);
    mark_asked(results, task, column, {cell}, map);
    if (cell == nullptr) continue;
    const std::vector<DepthBand> bands = depth_bands(*cell, static_cast<int>(map.rows.size()));
    for (std::size_t row = 0; row < bands.size(); ++row) {
      const DepthBand& band = bands[row];
      if (band.n == 0) continue;
      map.cells[row][column] = {static_cast<double>(band.hits) / static_cast<double>(band.n),
                                band.n};
    }
  }
  return map;
}

Heatmap difference_heatmap(const Results& results, const VariantInfo& reference,
                           const VariantInfo& variant, const std::string& task) {
  return difference_heatmap({results, reference}, {results, variant}, task);
}

Heatmap difference_heatmap(const RunVariant& reference, const RunVariant& variant,
                           const std::string& task) {
  const Results& results = reference.results;
  Heatmap map = empty_heatmap(results, task);
  map.id = id_of(variant.results, "difference", variant.variant, task);
  map.scale = Scale::kDifference;
  map.title = fmt::format("{}: {} minus {}", task_label(task),
                          label_of(variant.results.run, variant.variant),
                          label_of(results.run, reference.variant));
  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    const std::int64_t length = results.run.lengths[column];
    const Cell* first = results.recall_cell(reference.variant.fingerprint, task, length);
    const Cell* second = variant.results.recall_cell(variant.variant.fingerprint, task, length);
    mark_asked(results, task, column, {first, second}, map);
    if (first == nullptr || second == nullptr) continue;
    const std::vector<PairCounts> bands =
        pair_samples_by_band(*first, *second, static_cast<int>(map.rows.size()));
    for (std::size_t row = 0; row < bands.size(); ++row)
      if (bands[row].n() > 0) map.cells[row][column] = {bands[row].difference(), bands[row].n()};
  }
  return map;
}

std::string heatmap_svg(const Heatmap& map, SvgUse use) {
  const Layout layout = layout_of(map, use);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"map\" role=\"img\" aria-label=\"{0}\" "
      "width=\"{1}\" height=\"{2}\" viewBox=\"0 0 {1} {2}\">\n<desc>{0}. Rows: needle depth, "
      "shallow at the top. Columns: context length, short at the left.</desc>\n",
      escape_html(map.title), layout.width, layout.height);
  if (use == SvgUse::kFile) out += kFileStyle;
  out += gap_pattern(map.id);
  if (use == SvgUse::kFile) out += file_surroundings(map, layout);
  for (std::size_t row = 0; row < map.rows.size(); ++row)
    for (std::size_t column = 0; column < map.columns.size(); ++column)
      out += cell_svg(map, layout, row, column);
  return out + row_ticks(map, layout) + column_ticks(map, layout) + "</svg>\n";
}

Table heatmap_table(const Heatmap& map) {
  const bool recall = map.scale == Scale::kRecall;
  Table table{"heatmap",
              map.title + (recall ? ", in percent, and n" : ", in points, and n") +
                  " (–: not measured, ·: not asked)",
              {{"depth %", Align::kLeft}},
              {}};
  for (const std::string& column : map.columns) table.columns.push_back({column});
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    std::vector<std::string> cells = {map.rows[row]};
    for (const HeatmapCell& cell : map.cells[row])
      cells.push_back(cell.value
                          ? fmt::format("{} ({})", value_text(map.scale, *cell.value), cell.n)
                          : (cell.is_asked ? kNone : kNotAsked));
    table.add_row(std::move(cells));
  }
  return table;
}

std::string legend_svg(Scale scale, const std::string& id) {
  const std::string label = scale == Scale::kRecall ? "Colours: recall from 0 to 100 percent"
                                                    : "Colours: difference in points";
  return fmt::format(
             "<svg class=\"map\" role=\"img\" aria-label=\"{}\" width=\"{}\" height=\"{}\" "
             "viewBox=\"0 0 {} {}\">\n",
             label, kLegendWidth, kLegendHeight, kLegendWidth, kLegendHeight) +
         gap_pattern(id) + legend_parts(scale, id, 1, 4) + "</svg>\n";
}

}  // namespace niah::reports
