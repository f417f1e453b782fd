#include "reports/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/format.h"
#include "reports/variants.h"

namespace niah::reports {
namespace {

constexpr double kWidth = 360;
constexpr double kHeight = 216;
constexpr double kLeft = 34;
constexpr double kRight = 14;
constexpr double kTop = 10;
constexpr double kBottom = 24;
constexpr std::size_t kColours = 8;
/// More bands than this would hide each other: then only the first variants have theirs.
constexpr std::size_t kMostBands = 6;
constexpr std::size_t kBandsOfMany = 3;
/// More marks than this on a line would touch.
constexpr std::size_t kMostMarks = 16;

struct Point {
  double x = 0;
  const Cell* cell = nullptr;
};

double y_of(double recall) { return kTop + (1 - recall) * (kHeight - kTop - kBottom); }

double x_of(const Results& results, std::size_t place) {
  const auto steps = static_cast<double>(std::max<std::size_t>(results.run.lengths.size(), 2) - 1);
  constexpr double kInset = 10;
  return kLeft + kInset +
         static_cast<double>(place) * (kWidth - kLeft - kRight - 2 * kInset) / steps;
}

/// The measured cells of a variant, in runs without a gap.
std::vector<std::vector<Point>> runs_of(const Results& results, const VariantInfo& variant,
                                        const std::string& task) {
  std::vector<std::vector<Point>> runs(1);
  for (std::size_t i = 0; i < results.run.lengths.size(); ++i) {
    const Cell* cell = results.recall_cell(variant.fingerprint, task, results.run.lengths[i]);
    if (cell != nullptr && cell->n > 0) {
      runs.back().push_back({x_of(results, i), cell});
    } else if (!runs.back().empty()) {
      runs.emplace_back();
    }
  }
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

std::string band_svg(const std::vector<Point>& run) {
  std::string path;
  for (const Point& point : run)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x,
                        y_of(point.cell->interval().high));
  for (auto point = run.rbegin(); point != run.rend(); ++point)
    path += fmt::format("L{:.1f} {:.1f}", point->x, y_of(point->cell->interval().low));
  return fmt::format("<path class=\"band\" d=\"{}Z\"/>", path);
}

std::string line_svg(const std::vector<Point>& run) {
  std::string path;
  for (const Point& point : run)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x,
                        y_of(point.cell->recall()));
  return fmt::format("<path class=\"line\" d=\"{}\"/>", path);
}

std::string marks_svg(const std::string& label, const std::vector<Point>& run) {
  std::string out;
  for (const Point& point : run)
    out += fmt::format(
        "<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"><title>{}, {}: {} % (n = {}, "
        "95 % interval {})</title></circle>",
        point.x, y_of(point.cell->recall()), escape_html(label), format_length(point.cell->length),
        percent(point.cell->recall()), point.cell->n, percent_range(point.cell->interval()));
  return out;
}

std::string axes_svg(const Results& results) {
  std::string out;
  for (const int tick : {0, 25, 50, 75, 100}) {
    const double y = y_of(tick / 100.0);
    out += fmt::format("<path class=\"rule\" d=\"M{} {:.1f}H{}\"/>", kLeft, y, kWidth - kRight);
    out += fmt::format("<text class=\"tick end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", kLeft - 6,
                       y + 3.5, tick);
  }
  const std::size_t step = (results.run.lengths.size() + 9) / 10;
  for (std::size_t i = 0; i < results.run.lengths.size(); i += step)
    out += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{}</text>\n",
                       x_of(results, i), kHeight - 6, format_length(results.run.lengths[i]));
  return out;
}

}  // namespace

std::string series_class(std::size_t place) {
  return fmt::format("series c{}{}", place % kColours,
                     place < kColours       ? ""
                     : place < 2 * kColours ? " dashed"
                                            : " dotted");
}

std::string recall_chart_svg(const Results& results, const std::string& task) {
  const std::size_t banded = results.run.variants.size() <= kMostBands ? kMostBands : kBandsOfMany;
  const bool marked = results.run.lengths.size() <= kMostMarks;
  std::string bands;
  std::string lines;
  for (std::size_t place = 0; place < results.run.variants.size(); ++place) {
    const VariantInfo& variant = results.run.variants[place];
    const std::string group = fmt::format("<g class=\"{}\">", series_class(place));
    const std::string label = label_of(results.run, variant);
    for (const auto& run : runs_of(results, variant, task)) {
      if (place < banded) bands += group + band_svg(run) + "</g>\n";
      const bool dot = marked || run.size() == 1;  // a line of one point would not be seen
      lines += group + line_svg(run) + (dot ? marks_svg(label, run) : "") + "</g>\n";
    }
  }
  return fmt::format(
             "<svg class=\"chart\" role=\"img\" aria-label=\"{}: recall in percent by context "
             "length; the numbers stand in the summary table\" viewBox=\"0 0 {} {}\">\n",
             escape_html(task_label(task)), kWidth, kHeight) +
         axes_svg(results) + bands + lines + "</svg>\n";
}

}  // namespace niah::reports
