// Drawings for papers and chats that do not take SVG.
#pragma once

#include <string>
#include <string_view>

namespace niah::reports {

/// The SVG drawn as a PNG, `scale` pixels to one of its units. Throws DataError when it cannot be
/// drawn.
std::string png_of_svg(std::string_view svg, double scale = 2);

}  // namespace niah::reports
