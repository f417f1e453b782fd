// SVG drawings as PNG, for documents and chats that do not accept SVG.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace niah::reports {

/// The SVG rendered as PNG, at `scale` pixels per SVG unit; nullopt if niah was built without
/// NIAH_WITH_PNG. Throws DataError if it cannot be rendered.
std::optional<std::string> png_of_svg(std::string_view svg, double scale = 2);

}  // namespace niah::reports
