// What charts of recall in percent have in common: the frame, and a line with its interval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "reports/analysis/statistics.h"

namespace niah::reports {

/// The measures of a chart, in SVG units: its size and the margins around the plot.
struct ChartFrame {
  double width = 0, height = 0;
  double left = 0, right = 0, top = 0, bottom = 0;
  double inset = 0;  ///< between the margins and the first and last place

  /// Where `place` of so many evenly spaced ones stands.
  double x_of(std::size_t place, std::size_t places) const;
  /// Where a recall of 0..1 stands.
  double y_of(double recall) const;
  /// Rules and figures at 0, 25, 50, 75 and 100 percent.
  std::string recall_axis() const;
};

/// One measured recall.
struct ChartPoint {
  double x = 0;
  double recall = 0;
  Interval interval;
  std::string title;  ///< plain text, on hover
};

/// "base, 4K: 93.3 % (n = 30, 95 % interval 78.7–98.2)".
std::string point_title(const std::string& where, double recall, std::int64_t n,
                        const Interval& interval);

/// The interval around neighbouring points, the line through them, and a mark on each.
std::string band_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points);
std::string line_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points);
std::string marks_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points);

}  // namespace niah::reports
