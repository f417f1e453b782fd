// Charts of how a fine-tune's gradient of W_Q and W_K falls with distance.
#pragma once

#include <string>
#include <vector>

#include "reports/draw/table.h"
#include "reports/record.h"

namespace niah::reports {

/// The curves as inline SVG, on a logarithmic scale, averaged over eight distances at a time and
/// relative to the first average (distances 0 to 7); "" without a curve.
std::string gradient_chart_svg(const std::vector<GradientCurve>& curves);

/// One row per fine-tune: W of the fitted C exp(-tau / W), and the distances in tokens within which
/// half and nine tenths of the gradient lie.
Table gradient_table(const std::vector<GradientCurve>& curves);

}  // namespace niah::reports
