// A diagnosis as figures (SVG in HTML figure elements).
#pragma once

#include <string>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// A grid of heads per variant: attention on the needle, and mean attention distance.
std::string needle_grids(const Diagnosis& diagnosis);
std::string distance_grids(const Diagnosis& diagnosis);

/// A dot for each part of each layer: the layer on the x axis, the relative change on the y axis.
/// "" without layers.
std::string drift_chart(const Diagnosis& diagnosis);

}  // namespace niah::reports
