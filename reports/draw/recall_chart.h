// What recall charts share: the frame, and lines with their intervals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "reports/analysis/statistics.h"

namespace niah::reports {

/// The dimensions of a chart in SVG units: its size and the margins around the plot.
struct ChartFrame {
  double width = 0, height = 0;
  double left = 0, right = 0, top = 0, bottom = 0;
  double inset = 0;  ///< between each side margin and the outermost point

  /// The x coordinate of point `place` out of `places` evenly spaced ones.
  double x_of(std::size_t place, std::size_t places) const;
  /// The y coordinate of a recall of 0..1.
  double y_of(double recall) const;
  /// Grid lines and labels at 0, 25, 50, 75 and 100 percent.
  std::string recall_axis() const;
};

/// One measured recall.
struct ChartPoint {
  double x = 0;
  double recall = 0;
  Interval interval;
  std::string title;  ///< plain text, shown on hover
  double shift = 0;   ///< down, in SVG units: keeps lines of the same recall side by side
};

/// "base, 4K: 93.3 % (n = 30, 95 % interval 78.7–98.2)".
std::string point_title(const std::string& where, double recall, std::int64_t n,
                        const Interval& interval);

/// The points of one line, in runs of neighbours: between runs it is interrupted.
using ChartLine = std::vector<std::vector<ChartPoint>>;

/// Shifts points of nearly the same recall apart, so that no line hides another.
void spread(const ChartFrame& frame, std::vector<ChartLine>& lines);

/// SVG for a run of neighbouring points: the band of their intervals, the line through them, and a
/// mark on each, of the shape of the series at index `place`.
std::string band_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points);
std::string line_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points);
std::string marks_svg(const ChartFrame& frame, const std::vector<ChartPoint>& points,
                      std::size_t place);

/// A mark around (x, y), with a plain text shown on hover unless that is empty.
std::string mark_svg(double x, double y, std::size_t place, const std::string& title);

}  // namespace niah::reports
