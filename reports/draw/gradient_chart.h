// How a fine-tune's gradient of W_Q and W_K falls with distance, drawn.
#pragma once

#include <string>
#include <vector>

#include "reports/draw/table.h"
#include "reports/record.h"

namespace niah::reports {

/// The curves on a logarithmic scale, relative to their value at distance 0..7, in steps of eight
/// tokens; "" without a curve.
std::string gradient_chart_svg(const std::vector<GradientCurve>& curves);

/// W of the fitted exp(-tau / W), and how much of the gradient comes from how near.
Table gradient_table(const std::vector<GradientCurve>& curves);

}  // namespace niah::reports
