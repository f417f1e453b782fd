#include "reports/draw/recall_chart.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/text.h"
#include "reports/format.h"

namespace niah::reports {

double ChartFrame::x_of(std::size_t place, std::size_t places) const {
  const auto steps = static_cast<double>(std::max<std::size_t>(places, 2) - 1);
  return left + inset + static_cast<double>(place) * (width - left - right - 2 * inset) / steps;
}

double ChartFrame::y_of(double recall) const {
  return top + (1 - recall) * (height - top - bottom);
}

std::string ChartFrame::recall_axis() const {
  std::string out;
  for (const int tick : {0, 25, 50, 75, 100}) {
    const double y = y_of(tick / 100.0);
    out += fmt::format("<path class=\"rule\" d=\"M{} {:.1f}H{}\"/>", left, y, width - right);
    out += fmt::format("<text class=\"tick end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", left - 6,
                       y + 3.5, tick);
  }
  return out;
}

std::string point_title(const std::string& where, double recall, std::int64_t n,
                        const Interval& interval) {
  return fmt::format("{}: {} % (n = {}, 95 % interval {})", where, percent(recall), n,
                     percent_range(interval));
}

std::string band_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points) {
  std::string path;
  for (const ChartPoint& point : points)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x,
                        frame.y_of(point.interval.high));
  for (auto point = points.rbegin(); point != points.rend(); ++point)
    path += fmt::format("L{:.1f} {:.1f}", point->x, frame.y_of(point->interval.low));
  return fmt::format("<path class=\"band\" d=\"{}Z\"/>", path);
}

std::string line_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points) {
  std::string path;
  for (const ChartPoint& point : points)
    path +=
        fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x, frame.y_of(point.recall));
  return fmt::format("<path class=\"line\" d=\"{}\"/>", path);
}

std::string marks_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points) {
  std::string out;
  for (const ChartPoint& point : points)
    out += fmt::format(
        "<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"><title>{}</title></circle>",
        point.x, frame.y_of(point.recall), escape_html(point.title));
  return out;
}

}  // namespace niah::reports
