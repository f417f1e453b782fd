// Heatmaps as SVG: needle depth down, context length across.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/draw/table.h"

namespace niah::reports {

/// Which colours, and how a value is written.
enum class Scale {
  kRecall,      ///< 0..1, as percent
  kDifference,  ///< -1..1, as signed points
};

/// One cell; without a value it is a gap.
struct HeatmapCell {
  std::optional<double> value;
  std::int64_t n = 0;
};

/// A grid to draw.
struct Heatmap {
  std::string id;  ///< unique in its page: letters, digits, dashes
  std::string title;
  Scale scale = Scale::kRecall;
  std::vector<std::string> columns;             ///< lengths, short first
  std::vector<std::string> rows;                ///< depth bands, shallow first
  std::vector<std::vector<HeatmapCell>> cells;  ///< [row][column]
};

/// Recall of a variant on a task by depth band and length.
Heatmap recall_heatmap(const Results& results, const VariantInfo& variant, const std::string& task);

/// The recall of `variant` less that of `reference`, on the samples that both were measured on.
Heatmap difference_heatmap(const Results& results, const VariantInfo& reference,
                           const VariantInfo& variant, const std::string& task);

/// How an SVG is used.
enum class SvgUse {
  kInline,  ///< in a page that has the style, axis names and legend around it
  kFile,    ///< on its own: carries style, axis names and legend
};

/// The drawing, with its text read to people who cannot see it.
std::string heatmap_svg(const Heatmap& heatmap, SvgUse use);

/// The drawing's numbers for who cannot see it: a row a depth band, a column a length, each value
/// with its n in brackets.
Table heatmap_table(const Heatmap& heatmap);

/// The legend of a scale, drawn as an inline SVG.
std::string legend_svg(Scale scale, const std::string& id);

}  // namespace niah::reports
