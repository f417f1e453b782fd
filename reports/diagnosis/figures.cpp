#include "reports/diagnosis/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "harness/base/text.h"
#include "reports/diagnosis/aggregation.h"
#include "reports/draw/html.h"
#include "reports/draw/line_chart.h"
#include "reports/draw/palette.h"
#include "reports/draw/ticks.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// A grid with one row per layer and one column per head.
struct Grid {
  std::string title;
  std::vector<std::int64_t> layers;
  std::int64_t heads = 0;
  struct Square {
    std::int64_t layer = 0, head = 0;
    double shade = 0;  ///< 0 (dark) to 1 (light)
    std::string text, tip;
  };
  std::vector<Square> squares;
};

Grid empty_grid(std::string title, const std::vector<const HeadLook*>& heads) {
  Grid grid;
  grid.title = std::move(title);
  std::set<std::int64_t> layers;
  for (const HeadLook* head : heads) {
    layers.insert(head->layer);
    grid.heads = std::max(grid.heads, head->head + 1);
  }
  grid.layers.assign(layers.begin(), layers.end());
  return grid;
}

std::string grid_svg(const Grid& grid) {
  constexpr int kLeft = 24, kTop = 4, kHeight = 17, kAxisWords = 136;
  constexpr std::int64_t kFew = 12;  // so many heads have room for figures
  const int cell = grid.heads <= kFew ? 27 : 14;
  const std::int64_t every = grid.heads <= kFew ? 1 : 4;
  const auto rows = static_cast<int>(grid.layers.size());
  const int width = std::max(kLeft + cell * static_cast<int>(grid.heads) + 8, kAxisWords);
  const int height = kTop + kHeight * rows + 30;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"map\" role=\"img\" aria-label=\"{0}. "
      "Rows: "
      "layers. Columns: heads.\" width=\"{1}\" height=\"{2}\" viewBox=\"0 0 {1} {2}\">\n",
      escape_html(grid.title), width, height);
  for (const Grid::Square& square : grid.squares) {
    const auto row = std::find(grid.layers.begin(), grid.layers.end(), square.layer);
    const int x = kLeft + cell * static_cast<int>(square.head);
    const int y = kTop + kHeight * static_cast<int>(row - grid.layers.begin());
    const Colour fill = recall_colour(square.shade);
    out += fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
        escape_html(square.tip), x, y, cell - 1, kHeight - 1, hex(fill));
    if (cell > 20)
      out += fmt::format("<text class=\"value\" x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>",
                         x + (cell - 1) / 2.0, y + kHeight / 2.0 + 2.9, hex(ink_on(fill)),
                         escape_html(square.text));
    out += "</g>\n";
  }
  for (int row = 0; row < rows; ++row)
    out += fmt::format("<text class=\"tick end\" x=\"{}\" y=\"{}\">{}</text>\n", kLeft - 5,
                       kTop + kHeight * row + 12, grid.layers[static_cast<std::size_t>(row)]);
  for (std::int64_t head = 0; head < grid.heads; head += every)
    out += fmt::format("<text class=\"tick mid\" x=\"{}\" y=\"{}\">{}</text>\n",
                       kLeft + cell * static_cast<int>(head) + (cell - 1) / 2.0, height - 18, head);
  out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\">down: layer, across: head</text>\n", 4,
                     height - 4);
  return out + "</svg>\n";
}

std::string grid_figure(const Grid& grid, const std::string& name, const std::string& aside) {
  return fmt::format("<figure><figcaption>{} <span>{}</span></figcaption>\n{}</figure>\n",
                     html_text(name), html_text(aside), grid_svg(grid));
}

}  // namespace

std::string needle_grids(const Diagnosis& diagnosis) {
  const std::vector<std::size_t> places = retrieval_heads(diagnosis);
  std::string out = "<div class=\"strip\">\n";
  for (const std::string& variant : diagnosis.variants) {
    const auto heads = heads_of(diagnosis, variant);
    Grid grid = empty_grid(variant + ": attention on the needle", heads);
    for (const HeadLook* head : heads)
      grid.squares.push_back({head->layer, head->head, head->needle_mass,
                              percent(head->needle_mass, 0),
                              fmt::format("layer {}, head {}: {} % of the final position's "
                                          "attention on the needle",
                                          head->layer, head->head, percent(head->needle_mass))});
    out +=
        grid_figure(grid, variant, places.empty() ? "" : percent_words(mean_mass(heads, places)));
  }
  return out + "</div>\n";
}

std::string distance_grids(const Diagnosis& diagnosis) {
  double farthest = 1;
  for (const HeadLook& head : diagnosis.heads) farthest = std::max(farthest, head.distance);
  std::string out = "<div class=\"strip\">\n";
  for (const std::string& variant : diagnosis.variants) {
    const auto heads = heads_of(diagnosis, variant);
    Grid grid = empty_grid(variant + ": mean attention distance", heads);
    for (const HeadLook* head : heads) {
      const bool thousands = head->distance >= 999.5;
      grid.squares.push_back({head->layer, head->head, head->distance / farthest,
                              thousands ? fmt::format("{:.1f}k", head->distance / 1000)
                                        : fmt::format("{:.0f}", head->distance),
                              fmt::format("layer {}, head {}: {:.1f} tokens", head->layer,
                                          head->head, head->distance)});
    }
    out += grid_figure(grid, variant, fmt::format("{:.0f} tokens", mean_distance(heads)));
  }
  return out + "</div>\n";
}

std::string drift_chart(const Diagnosis& diagnosis) {
  constexpr double kWidth = 760, kHeight = 234, kLeft = 50, kRight = 10, kTop = 10, kBottom = 38;
  constexpr int kSteps = 4;
  const auto layers = layers_of(diagnosis);
  double most = 0;
  for (const auto& [layer, mixer] : layers)
    for (const char* part : kParts)
      most = std::max(most, drift_at(diagnosis, layer, part).value_or(0));
  if (layers.empty() || most <= 0) return "";
  const std::vector<double> percents = round_ticks(100 * most, kSteps);
  const double step = (kWidth - kLeft - kRight) / static_cast<double>(layers.size());
  const auto y_of = [&](double value) {
    return kTop + (1 - 100 * value / percents.back()) * (kHeight - kTop - kBottom);
  };
  std::string out = fmt::format(
      "<svg class=\"chart\" role=\"img\" aria-label=\"Change of the weights by layer, in percent "
      "of "
      "their norm; the numbers stand in the table below\" viewBox=\"0 0 {} {}\">\n",
      kWidth, kHeight);
  for (const double tick : percents)
    out += fmt::format(
        "<path class=\"rule\" d=\"M{0} {1:.1f}H{2}\"/><text class=\"tick end\" x=\"{3}\" "
        "y=\"{4:.1f}\">{5}</text>\n",
        kLeft, y_of(tick / 100), kWidth - kRight, kLeft - 6, y_of(tick / 100) + 3.5,
        html_text(fmt::format("{:g} %", tick)));
  out += fmt::format("<text class=\"tick mid\" x=\"{}\" y=\"{}\">layer</text>\n",
                     (kLeft + kWidth - kRight) / 2, kHeight - 4);
  double x = kLeft + step / 2;
  const auto every = static_cast<std::size_t>(std::ceil(24 / step));
  std::size_t place = 0;
  for (const auto& [layer, mixer] : layers) {
    const bool softmax = mixer == "softmax";
    if (softmax)
      out += fmt::format(
          "<rect class=\"softmax\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>",
          x - step / 2, kTop, step, kHeight - kTop - kBottom);
    if (place++ % every == 0)
      out += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", x,
                         kHeight - 20, layer);
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      const auto drift = drift_at(diagnosis, layer, kParts[i]);
      if (!drift) continue;
      // Offset horizontally, so that no dot hides another.
      const double shift = (static_cast<double>(i) - 3.5) / 10 * std::min(step, 60.0);
      out += fmt::format(
          "<g class=\"{}\"><circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>layer "
          "{} ({}), {}: {} %</title></circle></g>\n",
          series_class(i), x + shift, y_of(*drift), layer, escape_html(mixer), kParts[i],
          percent(*drift, 2));
    }
    x += step;
  }
  out += "</svg>\n<ul class=\"key\">\n";
  for (std::size_t i = 0; i < kParts.size(); ++i)
    out += fmt::format(
        "<li><svg class=\"{}\" width=\"10\" height=\"10\" aria-hidden=\"true\"><circle "
        "class=\"mark\" cx=\"5\" cy=\"5\" r=\"4\"/></svg>{}</li>\n",
        series_class(i), kParts[i]);
  return out + "</ul>\n";
}

}  // namespace niah::reports
