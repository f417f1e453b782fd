#include "reports/draw/palette.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace niah::reports {
namespace {

// Both scales have equal lightness steps in the OKLab space (Ottosson 2020): recall runs from hue
// 310 to 165, differences from hue 42 to 252.
using Stops = std::array<std::uint32_t, 11>;
constexpr Stops kRecall = {0x43155E, 0x482C7C, 0x474398, 0x3E5CB1, 0x2676C6, 0x1B91CB,
                           0x2FA9CD, 0x53BFCF, 0x7BD3D1, 0xA2E5D6, 0xC8F6E0};
constexpr Stops kDifference = {0x983803, 0xB95429, 0xCA7C5E, 0xD9A38E, 0xE6C9BE, 0xF0F0F0,
                               0xC0D2E8, 0x91B5DE, 0x6197D3, 0x2A79C7, 0x015BA6};

Colour unpack(std::uint32_t rgb) {
  return {static_cast<std::uint8_t>(rgb >> 16), static_cast<std::uint8_t>(rgb >> 8),
          static_cast<std::uint8_t>(rgb)};
}

std::uint8_t mix(std::uint8_t a, std::uint8_t b, double share) {
  return static_cast<std::uint8_t>(std::lround(a + (b - a) * share));
}

/// The colour at `position` (0..1), interpolated between the stops.
Colour interpolate(const Stops& stops, double position) {
  const double at = std::clamp(position, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  const double share = at - static_cast<double>(below);
  const Colour a = unpack(stops[below]);
  const Colour b = unpack(stops[below + 1]);
  return {mix(a.red, b.red, share), mix(a.green, b.green, share), mix(a.blue, b.blue, share)};
}

double luminance(Colour colour) {
  const auto linear = [](std::uint8_t channel) {
    const double value = channel / 255.0;
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue);
}

}  // namespace

Colour recall_colour(double recall) { return interpolate(kRecall, recall); }

Colour difference_colour(double difference) {
  return interpolate(kDifference, (difference + 1) / 2);
}

double contrast(Colour a, Colour b) {
  const double first = luminance(a) + 0.05;
  const double second = luminance(b) + 0.05;
  return std::max(first, second) / std::min(first, second);
}

Colour ink_on(Colour background) {
  constexpr Colour kBlack = {0, 0, 0};
  constexpr Colour kWhite = {255, 255, 255};
  return contrast(background, kBlack) >= contrast(background, kWhite) ? kBlack : kWhite;
}

std::string hex(Colour colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

}  // namespace niah::reports
