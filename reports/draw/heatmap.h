// Heatmaps as SVG: needle depth down, context length across.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/draw/table.h"

namespace niah::reports {

/// The colour scale, and how values are formatted.
enum class Scale {
  kRecall,      ///< 0..1, as percent
  kDifference,  ///< -1..1, as signed points
};

/// With fewer samples than this in a square, its n is drawn beside the value.
inline constexpr std::int64_t kSparse = 5;

/// One cell. Without a value it is drawn as a gap, or as an empty square where nothing was asked.
struct HeatmapCell {
  std::optional<double> value;
  std::int64_t n = 0;
  bool is_asked = true;
};

/// A grid to draw.
struct Heatmap {
  std::string id;  ///< unique within the page: letters, digits, dashes
  std::string title;
  Scale scale = Scale::kRecall;
  std::vector<std::string> columns;             ///< lengths, short first
  std::vector<std::string> rows;                ///< depth bands, shallow first
  std::vector<std::vector<HeatmapCell>> cells;  ///< [row][column]
};

/// Recall of a variant on a task by depth band and length.
Heatmap recall_heatmap(const Results& results, const VariantInfo& variant, const std::string& task);

/// The recall of `variant` minus that of `reference`, on the samples that both were measured on.
Heatmap difference_heatmap(const Results& results, const VariantInfo& reference,
                           const VariantInfo& variant, const std::string& task);

/// A variant in the results of its run.
struct RunVariant {
  const Results& results;
  const VariantInfo& variant;
};

/// The same for variants of two runs, over the lengths of the reference's.
Heatmap difference_heatmap(const RunVariant& reference, const RunVariant& variant,
                           const std::string& task);

/// Where an SVG is used.
enum class SvgUse {
  kInline,  ///< in a page, which provides style, axis names and legend
  kFile,    ///< as a file, with its own style, axis names and legend
};

/// The heatmap as SVG, with a text alternative for screen readers.
std::string heatmap_svg(const Heatmap& heatmap, SvgUse use);

/// The heatmap's numbers for readers who cannot see the drawing: one row per depth band, one column
/// per length, each value followed by its n in brackets.
Table heatmap_table(const Heatmap& heatmap);

/// The legend of a scale, drawn as an inline SVG.
std::string legend_svg(Scale scale, const std::string& id);

}  // namespace niah::reports
