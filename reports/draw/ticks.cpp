#include "reports/draw/ticks.h"

#include <cmath>

namespace niah::reports {

std::vector<double> round_ticks(double most, int steps) {
  constexpr double kRounding = 1e-9;  // of a step
  const double least = most / steps;
  const double power = std::pow(10, std::floor(std::log10(least)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= least * (1 - kRounding)) step = factor * power;
  std::vector<double> ticks = {0};
  while (ticks.back() < most - kRounding * step)
    ticks.push_back(step * static_cast<double>(ticks.size()));
  return ticks;
}

}  // namespace niah::reports
