// Heatmap colours, legible to colour-blind readers, in greyscale print, and on light and dark
// pages.
#pragma once

#include <cstdint>
#include <string>

namespace niah::reports {

/// A colour in sRGB.
struct Colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  bool operator==(const Colour&) const = default;
};

/// The recall scale, 0 (dark) to 1 (light): lightness rises evenly with recall, so losses stand
/// out. Values outside are clamped.
Colour recall_colour(double recall);

/// The difference scale, from -1 (lost, orange) through 0 (grey) to 1 (gained, blue); equally dark
/// at equal distances from 0. Values outside are clamped.
Colour difference_colour(double difference);

/// Black or white, whichever has more contrast on `background` (WCAG 2 relative luminance).
Colour ink_on(Colour background);

/// WCAG 2 contrast ratio, 1 to 21.
double contrast(Colour a, Colour b);

/// "#c8f6e0".
std::string hex(Colour colour);

}  // namespace niah::reports
