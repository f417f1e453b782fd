// A chart of what restorations of parts brought back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/analysis/statistics.h"

namespace niah::reports {

/// One part of the weights.
struct PartBars {
  std::string name;                  ///< plain text
  std::optional<Recovered> alone;    ///< the part alone put back
  std::optional<Recovered> all_but;  ///< everything but the part put back
};

/// Horizontal bars with 95 % intervals, two per part, from nothing to all of the loss, preceded by
/// their key; "" without parts. What lies beyond -50 % or 150 % is cut at the edge.
std::string part_chart(const std::vector<PartBars>& parts);

/// The same of parts put back one after the other, each beside those above it; "" without steps.
std::string path_chart(const std::vector<PartBars>& steps);

}  // namespace niah::reports
