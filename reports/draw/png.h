// Drawings for papers and chats that do not take SVG.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace niah::reports {

/// The SVG drawn as a PNG, `scale` pixels to one of its units; nullopt where niah is built without
/// (NIAH_WITH_PNG). Throws DataError when it cannot be drawn.
std::optional<std::string> png_of_svg(std::string_view svg, double scale = 2);

}  // namespace niah::reports
