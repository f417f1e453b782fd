#include "reports/analysis/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/base/units.h"

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
  std::string label(miss);
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

std::string outcome_label(std::string_view outcome) {
  if (outcome == "oom") return "out of memory";
  if (outcome == "failed") return "failed at every try";
  if (outcome == "cut") return "cut by the server";
  if (outcome == "refused") return "refused by the server";
  return miss_label(outcome);
}

std::string unmeasured_words(const std::map<std::string, std::int64_t>& unmeasured,
                             const std::map<std::string, std::string>& details) {
  std::string words;
  for (const auto& [outcome, count] : unmeasured) {
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", format_count(count),
                         outcome_label(outcome));
    const auto detail = details.find(outcome);
    if (detail != details.end()) words += " (" + detail->second + ")";
  }
  return words;
}

}  // namespace niah::reports
