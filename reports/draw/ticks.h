// Round numbers for an axis.
#pragma once

#include <vector>

namespace niah::reports {

/// Ticks from 0 in steps of 1, 2 or 5 times a power of ten, up to the first that is not below
/// `most`, in at most `steps` of them. `most` is above 0.
std::vector<double> round_ticks(double most, int steps);

}  // namespace niah::reports
