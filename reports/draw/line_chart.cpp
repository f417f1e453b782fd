#include "reports/draw/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/recall_chart.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

constexpr ChartFrame kFrame = {
    .width = 360, .height = 216, .left = 34, .right = 14, .top = 10, .bottom = 24, .inset = 10};
constexpr std::size_t kColours = 8;
/// With more bands than this, which would hide each other, only the first variants get one.
constexpr std::size_t kMostBands = 6;
constexpr std::size_t kBandsOfMany = 3;
/// The maximum width of a digit in an axis label, in SVG units; labels are two digits apart.
constexpr double kDigitWidth = 6;
/// More marks than this on a line would touch.
constexpr std::size_t kMostMarks = 16;

/// The measured cells of a variant, split at gaps.
ChartLine runs_of(const Results& results, const VariantInfo& variant, const std::string& task) {
  const std::string label = label_of(results.run, variant);
  const std::vector<std::int64_t>& lengths = results.run.lengths;
  ChartLine runs(1);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const Cell* cell = results.recall_cell(variant.fingerprint, task, lengths[i]);
    if (cell != nullptr && cell->n > 0) {
      const std::string where = fmt::format("{}, {}", label, format_length(lengths[i]));
      runs.back().push_back({kFrame.x_of(i, lengths.size()), cell->recall(), cell->interval(),
                             point_title(where, cell->recall(), cell->n, cell->interval())});
    } else if (!runs.back().empty()) {
      runs.emplace_back();
    }
  }
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

std::string axes_svg(const std::vector<std::int64_t>& lengths) {
  std::string out = kFrame.recall_axis();
  std::size_t longest = 0;
  for (const std::int64_t length : lengths)
    longest = std::max(longest, format_length(length).size());
  const double room = kFrame.width - kFrame.left - kFrame.right;
  const auto labels = static_cast<std::size_t>(
      room / (kDigitWidth * static_cast<double>(std::max<std::size_t>(longest, 3) + 2)));
  const std::size_t step = std::max<std::size_t>(1, (lengths.size() + labels - 1) / labels);
  for (std::size_t i = 0; i < lengths.size(); i += step)
    out +=
        fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{}</text>\n",
                    kFrame.x_of(i, lengths.size()), kFrame.height - 6, format_length(lengths[i]));
  return out;
}

/// How many variants, from the first on, have a band.
std::size_t banded_variants(const RunInfo& run) {
  return run.variants.size() <= kMostBands ? run.variants.size() : kBandsOfMany;
}

}  // namespace

std::string colour_class(std::size_t place) { return fmt::format("series c{}", place % kColours); }

std::string series_class(std::size_t place) {
  constexpr std::array kDashes = {"", " dashed", " dotted"};
  return colour_class(place) + kDashes[place % kDashes.size()];
}

std::string series_key_svg(std::size_t place) {
  return fmt::format(
      "<svg class=\"{}\" width=\"34\" height=\"10\" aria-hidden=\"true\"><path class=\"line\" "
      "d=\"M0 5H34\"/>{}</svg>",
      series_class(place), mark_svg(17, 5, place, ""));
}

std::string recall_chart_note(const RunInfo& run) {
  const std::size_t banded = banded_variants(run);
  return banded < run.variants.size()
             ? fmt::format("In percent. Shaded: Wilson's 95 % interval of the first {}.", banded)
             : "In percent. Shaded: Wilson's 95 % interval.";
}

std::string recall_chart_svg(const Results& results, const std::string& task) {
  const std::size_t banded = banded_variants(results.run);
  const bool marked = results.run.lengths.size() <= kMostMarks;
  std::vector<ChartLine> series;
  for (const VariantInfo& variant : results.run.variants)
    series.push_back(runs_of(results, variant, task));
  spread(kFrame, series);
  std::string bands;
  std::string lines;
  for (std::size_t place = 0; place < series.size(); ++place) {
    const std::string group = fmt::format("<g class=\"{}\">", series_class(place));
    for (const auto& run : series[place]) {
      if (place < banded) bands += group + band_svg(kFrame, run) + "</g>\n";
      const bool dot = marked || run.size() == 1;  // a line of one point is invisible
      lines +=
          group + line_svg(kFrame, run) + (dot ? marks_svg(kFrame, run, place) : "") + "</g>\n";
    }
  }
  return fmt::format(
             "<svg class=\"chart\" role=\"img\" aria-label=\"{}: recall in percent by context "
             "length; the numbers stand in the summary table\" viewBox=\"0 0 {} {}\">\n",
             escape_html(task_label(task)), kFrame.width, kFrame.height) +
         axes_svg(results.run.lengths) + bands + lines + "</svg>\n";
}

}  // namespace niah::reports
