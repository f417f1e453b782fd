#include "reports/draw/part_chart.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/text.h"
#include "reports/draw/line_chart.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

constexpr double kChartWidth = 640, kNamesWidth = 190, kRightMargin = 24, kTopMargin = 8,
                 kAxisHeight = 34;
constexpr double kRow = 34, kBar = 10, kGapBetween = 3;
constexpr double kLowest = -0.5, kHighest = 1.5;

/// What the x axis shows: at least from nothing to everything.
struct Range {
  double low = 0, high = 1;

  void include(const std::optional<Recovered>& recovered) {
    if (!recovered) return;
    for (const double value : {recovered->fraction, recovered->low.value_or(kLowest),
                               recovered->high.value_or(kHighest)}) {
      low = std::min(low, std::max(value, kLowest));
      high = std::max(high, std::min(value, kHighest));
    }
  }
  double x_of(double value) const {
    return kNamesWidth + (std::clamp(value, low, high) - low) / (high - low) *
                             (kChartWidth - kNamesWidth - kRightMargin);
  }
};

std::string title_of(const std::string& name, const Recovered& recovered) {
  return fmt::format("{}: {} % brought back, 95 % interval {}", name,
                     percent_signed(recovered.fraction), recovered_range(recovered));
}

/// A bar from nothing to the fraction, and its interval as a line with ends.
std::string bar_svg(const Range& range, double y, const std::string& css, const std::string& name,
                    const Recovered& recovered) {
  const double zero = range.x_of(0), tip = range.x_of(recovered.fraction);
  const double low = range.x_of(recovered.low.value_or(kLowest));
  const double high = range.x_of(recovered.high.value_or(kHighest)), middle = y + kBar / 2;
  return fmt::format(
      "<g class=\"{}\"><title>{}</title><rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" "
      "width=\"{:.1f}\" height=\"{}\"/><path class=\"whisker\" d=\"M{:.1f} {:.1f}H{:.1f}M{:.1f} "
      "{:.1f}v6M{:.1f} {:.1f}v6\"/></g>\n",
      css, escape_html(title_of(name, recovered)), std::min(zero, tip), y, std::abs(tip - zero),
      kBar, low, middle, high, low, middle - 3, high, middle - 3);
}

std::string axis_svg(const Range& range, double bottom) {
  std::string out;
  for (int percent = -50; percent <= 150; percent += 25) {
    const double value = percent / 100.0;
    if (value < range.low - 1e-9 || value > range.high + 1e-9) continue;
    const double x = range.x_of(value);
    out += fmt::format(
        "<path class=\"rule\" d=\"M{0:.1f} {1}V{2:.1f}\"/><text class=\"tick mid\" x=\"{0:.1f}\" "
        "y=\"{3:.1f}\">{4}</text>\n",
        x, kTopMargin, bottom, bottom + 14, percent_signed(value));
  }
  return out + fmt::format(
                   "<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:.1f}\">part of the lost recall "
                   "brought back, percent</text>\n",
                   (kNamesWidth + kChartWidth - kRightMargin) / 2, bottom + 30);
}

std::string key_item(const std::string& css, const char* text) {
  return fmt::format(
      "<li><svg class=\"{}\" width=\"26\" height=\"10\" aria-hidden=\"true\"><rect class=\"bar\" "
      "x=\"1\" y=\"1\" width=\"24\" height=\"8\"/></svg>{}</li>\n",
      css, text);
}

/// How the bars of a chart look and what they are called.
struct BarKinds {
  std::string alone_css, all_but_css;
  std::string after_name;  ///< of the first kind, in its bars' titles
};

std::string bars_svg(const std::vector<PartBars>& parts, const BarKinds& kinds, const char* label) {
  Range range;
  for (const PartBars& part : parts) {
    range.include(part.alone);
    range.include(part.all_but);
  }
  const double bottom = kTopMargin + kRow * static_cast<double>(parts.size());
  std::string out = fmt::format(
      "<svg class=\"chart parts\" role=\"img\" aria-label=\"{}; the figures stand in the table "
      "below\" viewBox=\"0 0 {} {}\">\n",
      label, kChartWidth, bottom + kAxisHeight);
  out += axis_svg(range, bottom);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const PartBars& part = parts[i];
    const double top =
        kTopMargin + kRow * static_cast<double>(i) + (kRow - 2 * kBar - kGapBetween) / 2;
    out += fmt::format("<text class=\"name end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n",
                       kNamesWidth - 10, top + kBar + kGapBetween / 2 + 4, escape_html(part.name));
    const double alone_top = part.all_but ? top : top + (kBar + kGapBetween) / 2;
    if (part.alone)
      out += bar_svg(range, alone_top, kinds.alone_css, part.name + kinds.after_name, *part.alone);
    if (part.all_but)
      out += bar_svg(range, top + kBar + kGapBetween, kinds.all_but_css, "all but " + part.name,
                     *part.all_but);
  }
  return out + "</svg>\n";
}

}  // namespace

std::string part_chart(const std::vector<PartBars>& parts) {
  if (parts.empty()) return "";
  const BarKinds kinds{series_class(1), series_class(2) + " hollow", " alone"};
  std::string key = key_item(kinds.alone_css, "the part alone put back");
  if (std::ranges::any_of(parts, [](const PartBars& part) { return part.all_but.has_value(); }))
    key += key_item(kinds.all_but_css, "everything but the part put back");
  return "<ul class=\"key\">\n" + key + "</ul>\n" +
         bars_svg(parts, kinds, "What each part brought back");
}

std::string path_chart(const std::vector<PartBars>& steps) {
  if (steps.empty()) return "";
  const BarKinds kinds{series_class(3), "", " put back"};
  return "<ul class=\"key\">\n" +
         key_item(kinds.alone_css, "put back one after the other, each beside those above it") +
         "</ul>\n" + bars_svg(steps, kinds, "What the steps of the path brought back");
}

}  // namespace niah::reports
