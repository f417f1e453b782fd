#include "reports/analysis/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

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
    DepthBand& at = out[static_cast<std::size_t>(depth_band(sample.real_depth, bands))];
    ++(sample.scored ? at.n : at.unmeasured);
    at.hits += sample.scored && sample.hit ? 1 : 0;
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

std::string_view miss_meaning(std::string_view miss) {
  static constexpr std::pair<std::string_view, std::string_view> kMeanings[] = {
      {"wrong_value",
       "another number or UUID than the one that was hidden; of a problem, a wrong "
       "answer"},
      {"partial_value",
       "begins like the value and departs from it, lacks some of its characters, "
       "or gives some of several values"},
      {"haystack_echo", "repeats a stretch of the text instead of an answer"},
      {"refused", "says that the text does not tell, or that it cannot answer"},
      {"out_of_tokens", "no answer had come at the token limit"},
      {"still_thinking", "the thought had not ended at the token limit"},
      {"answer_in_thought", "the value stands in the thought and not in the answer"},
      {"empty", "nothing was generated"},
      {"garbage", "none of the other classes"}};
  const auto* at = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                [&](const auto& meaning) { return meaning.first == miss; });
  return at == std::end(kMeanings) ? std::string_view() : at->second;
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
