// A diagnosis as figures (SVG inside of figure elements).
#pragma once

#include <string>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// Grids of heads, one a variant: their attention on the needle, and how far they look.
std::string needle_grids(const Diagnosis& diagnosis);
std::string distance_grids(const Diagnosis& diagnosis);

/// A dot for each part of each layer: across the layers, up the relative change. "" without layers.
std::string drift_chart(const Diagnosis& diagnosis);

}  // namespace niah::reports
