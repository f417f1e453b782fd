#include "reports/draw/recall_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

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

void spread(const ChartFrame& frame, std::vector<ChartLine>& lines) {
  constexpr double kApart = 2.6, kMost = 18;
  std::map<double, std::vector<ChartPoint*>> places;
  for (ChartLine& line : lines)
    for (auto& run : line)
      for (ChartPoint& point : run) places[point.x].push_back(&point);
  for (auto& [x, points] : places) {
    std::stable_sort(points.begin(), points.end(), [](const ChartPoint* a, const ChartPoint* b) {
      return a->recall > b->recall;
    });
    for (auto first = points.begin(); first != points.end();) {
      const double y = frame.y_of((*first)->recall);
      const auto last = std::find_if(first, points.end(), [&](const ChartPoint* point) {
        return frame.y_of(point->recall) - y >= kApart;
      });
      const auto count = static_cast<double>(last - first);
      const double apart = std::min(kApart, kMost / count);
      for (auto point = first; point != last; ++point)
        (*point)->shift = apart * (static_cast<double>(point - first) - (count - 1) / 2);
      first = last;
    }
  }
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
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", point.x,
                        frame.y_of(point.recall) + point.shift);
  return fmt::format("<path class=\"line\" d=\"{}\"/>", path);
}

std::string mark_svg(double x, double y, std::size_t place, const std::string& title) {
  // A circle, a square, triangles that point up and down, a diamond, a cross.
  constexpr std::array kShapes = {"m-2.8 0a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0 -5.6 0z",
                                  "m-2.6 -2.6h5.2v5.2h-5.2z",
                                  "m0 -3.4l3.3 5.8h-6.6z",
                                  "m0 3.4l3.3 -5.8h-6.6z",
                                  "m0 -3.6l3.6 3.6l-3.6 3.6l-3.6 -3.6z",
                                  "m-1.2 -3.4h2.4v2.2h2.2v2.4h-2.2v2.2h-2.4"
                                  "v-2.2h-2.2v-2.4h2.2z"};
  return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}{}\">{}</path>", x, y,
                     kShapes[place % kShapes.size()],
                     title.empty() ? "" : "<title>" + escape_html(title) + "</title>");
}

std::string marks_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points,
                      std::size_t place) {
  std::string out;
  for (const ChartPoint& point : points)
    out += mark_svg(point.x, frame.y_of(point.recall) + point.shift, place, point.title);
  return out;
}

}  // namespace niah::reports
