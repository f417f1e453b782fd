// For machines without a graphics stack: reports there have their heatmaps as SVG alone.
#include "reports/draw/png.h"

namespace niah::reports {

std::optional<std::string> png_of_svg(std::string_view, double) { return std::nullopt; }

}  // namespace niah::reports
