// Used in builds without librsvg, whose reports have heatmaps as SVG only.
#include "reports/draw/png.h"

namespace niah::reports {

std::optional<std::string> png_of_svg(std::string_view, double) { return std::nullopt; }

}  // namespace niah::reports
