#include "reports/draw/gradient_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/base/text.h"
#include "reports/draw/line_chart.h"
#include "reports/draw/ticks.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

constexpr double kWidth = 560, kHeight = 240, kLeft = 52, kRight = 12, kTop = 10, kBottom = 34;
constexpr std::size_t kStep = 8;

/// A mean over `kStep` neighbouring distances.
struct Point {
  double distance = 0, value = 0;
};

/// The curve up to the first distance with too few pairs to be meaningful.
std::vector<Point> points_of(const GradientCurve& curve, const std::vector<double>& g) {
  std::vector<Point> points;
  if (curve.pairs.empty()) return points;
  const auto enough = *std::max_element(curve.pairs.begin(), curve.pairs.end()) / 10;
  for (std::size_t begin = 0; begin + kStep <= g.size(); begin += kStep) {
    double sum = 0;
    bool whole = true;
    for (std::size_t tau = begin; tau < begin + kStep; ++tau) {
      sum += g[tau];
      whole = whole && curve.pairs[tau] > enough;
    }
    if (!whole || sum <= 0) break;
    points.push_back({static_cast<double>(begin) + (kStep - 1) / 2.0, sum / kStep});
  }
  return points;
}

/// The distance within which `share` of the summed gradient lies.
std::string within(const GradientCurve& curve, const std::vector<double>& g, double share) {
  double total = 0;
  for (std::size_t tau = 0; tau < g.size(); ++tau)
    total += g[tau] * static_cast<double>(curve.pairs[tau]);
  double sum = 0;
  for (std::size_t tau = 0; tau < g.size(); ++tau) {
    sum += g[tau] * static_cast<double>(curve.pairs[tau]);
    if (total > 0 && sum >= share * total) return std::to_string(tau);
  }
  return std::string(kGap);
}

struct Line {
  std::string name;
  std::vector<Point> points;
};

std::vector<Line> lines_of(const std::vector<GradientCurve>& curves) {
  std::vector<Line> lines;
  for (const GradientCurve& curve : curves)
    for (const auto& [name, g] : {std::pair{"W_Q", &curve.query}, {"W_K", &curve.key}}) {
      Line line{curve.variant + ", " + name, points_of(curve, *g)};
      if (line.points.empty()) continue;
      const double first = line.points.front().value;
      for (Point& point : line.points) point.value /= first;
      lines.push_back(std::move(line));
    }
  return lines;
}

}  // namespace

std::string gradient_chart_svg(const std::vector<GradientCurve>& curves) {
  const std::vector<Line> lines = lines_of(curves);
  if (lines.empty()) return "";
  double farthest = 1, highest = 1, lowest = 1;
  for (const Line& line : lines)
    for (const Point& point : line.points) {
      farthest = std::max(farthest, point.distance);
      highest = std::max(highest, point.value);
      lowest = std::min(lowest, point.value);
    }
  const std::vector<double> distances = round_ticks(farthest, 5);
  farthest = distances.back();
  const double top = std::ceil(std::log10(highest)), bottom = std::floor(std::log10(lowest));
  const double decades = std::max(1.0, top - bottom);
  const auto x_of = [&](double distance) {
    return kLeft + distance / farthest * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double value) {
    return kTop + (top - std::log10(value)) / decades * (kHeight - kTop - kBottom);
  };
  std::string out = fmt::format(
      "<svg class=\"chart\" role=\"img\" aria-label=\"Size of the gradient by distance; the "
      "figures stand in the table below\" viewBox=\"0 0 {} {}\">\n",
      kWidth, kHeight);
  for (double decade = bottom; decade <= top; ++decade)
    out += fmt::format(
        "<path class=\"rule\" d=\"M{0} {1:.1f}H{2}\"/><text class=\"tick end\" x=\"{3}\" "
        "y=\"{4:.1f}\">{5:g}</text>\n",
        kLeft, y_of(std::pow(10, decade)), kWidth - kRight, kLeft - 6,
        y_of(std::pow(10, decade)) + 3.5, std::pow(10, decade));
  for (const double distance : distances)
    out += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{:g}</text>\n",
                       x_of(distance), kHeight - 20, distance);
  out += fmt::format(
      "<text class=\"tick mid\" x=\"{}\" y=\"{}\">distance between query and key, tokens</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 4);
  std::string key = "<ul class=\"key\">\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string path;
    for (const Point& point : lines[i].points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x_of(point.distance),
                          y_of(point.value));
    // The line of W_K has its variant's colour, but is dashed.
    const std::string series = colour_class(i / 2 + 1) + (i % 2 == 1 ? " dashed" : "");
    out += fmt::format("<g class=\"{}\"><path class=\"line\" d=\"{}\"/></g>\n", series, path);
    key += fmt::format(
        "<li><svg class=\"{}\" width=\"26\" height=\"10\" aria-hidden=\"true\"><path "
        "class=\"line\" d=\"M0 5H26\"/></svg>{}</li>\n",
        series, escape_html(valid_utf8(lines[i].name)));
  }
  return key + "</ul>\n" + out + "</svg>\n";
}

Table gradient_table(const std::vector<GradientCurve>& curves) {
  constexpr const char* kQuery = "gradient of W_Q";
  constexpr const char* kKey = "gradient of W_K";
  Table table{
      "gradients",
      "How near the gradient comes from, in tokens: W of the fitted C exp(-tau / W), and the "
      "distances within which half and nine tenths of it lie",
      {{"fine-tune", Align::kLeft},
       {"W", Align::kRight, kQuery},
       {"half", Align::kRight, kQuery},
       {"nine tenths", Align::kRight, kQuery},
       {"W", Align::kRight, kKey},
       {"half", Align::kRight, kKey},
       {"nine tenths", Align::kRight, kKey}},
      {}};
  const auto decay = [](const std::optional<double>& width) {
    return width ? fmt::format("{:.0f}", *width) : std::string("does not fall");
  };
  for (const GradientCurve& curve : curves)
    table.add_row({curve.variant, decay(curve.decay_query), within(curve, curve.query, 0.5),
                   within(curve, curve.query, 0.9), decay(curve.decay_key),
                   within(curve, curve.key, 0.5), within(curve, curve.key, 0.9)});
  return table;
}

}  // namespace niah::reports
