#include "reports/analysis/cells.h"

#include <algorithm>
#include <array>

namespace niah::reports {

std::int64_t Cell::unmeasured_count() const {
  std::int64_t count = 0;
  for (const auto& [reason, times] : unmeasured) count += times;
  return count;
}

std::int64_t Cell::format_misses() const {
  std::int64_t count = 0;
  for (const auto& [miss, times] : misses)
    if (is_format_miss(miss)) count += times;
  return count;
}

int depth_band(double depth, int bands) {
  return std::clamp(static_cast<int>(depth * bands / 100), 0, bands - 1);
}

std::vector<DepthBand> depth_bands(const Cell& cell, int bands) {
  std::vector<DepthBand> out(static_cast<std::size_t>(bands));
  for (int i = 0; i < bands; ++i) {
    out[static_cast<std::size_t>(i)].low = 100.0 * i / bands;
    out[static_cast<std::size_t>(i)].high = 100.0 * (i + 1) / bands;
  }
  for (const Outcome& sample : cell.samples) {
    if (!sample.scored) continue;
    DepthBand& at = out[static_cast<std::size_t>(depth_band(sample.depth, bands))];
    ++at.n;
    at.hits += sample.hit ? 1 : 0;
  }
  return out;
}

std::vector<DepthBand> depth_points(const Cell& cell) {
  std::map<double, DepthBand> points;
  for (const Outcome& sample : cell.samples) {
    if (!sample.scored) continue;
    DepthBand& at = points[sample.depth];
    at.low = at.high = sample.depth;
    ++at.n;
    at.hits += sample.hit ? 1 : 0;
  }
  std::vector<DepthBand> out;
  for (const auto& [depth, band] : points) out.push_back(band);
  return out;
}

bool is_format_miss(std::string_view miss) {
  constexpr std::array<std::string_view, 3> kFormat = {"out_of_tokens", "still_thinking",
                                                       "answer_in_thought"};
  return std::find(kFormat.begin(), kFormat.end(), miss) != kFormat.end();
}

std::string miss_label(std::string_view miss) {
  if (miss == "oom") return "out of memory";
  std::string label(miss);
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

}  // namespace niah::reports
