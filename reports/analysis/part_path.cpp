#include "reports/analysis/part_path.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "reports/analysis/attribution.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/pairs.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

using PartNames = std::vector<std::string>;

/// "q, k" → q, k; empty for parts of some layers only.
PartNames names_in(const std::string& part) {
  PartNames names;
  if (part.find(" layers ") != part.npos) return names;
  for (std::size_t begin = 0; begin <= part.size();) {
    const std::size_t end = std::min(part.find(", ", begin), part.size());
    names.push_back(part.substr(begin, end - begin));
    begin = end + 2;
  }
  return names;
}

/// W_Q and W_K count as one part, too: either alone may be worth nothing.
bool is_one_part(const PartNames& names) {
  return names.size() == 1 || names == PartNames{"q", "k"};
}

bool is_among(const PartNames& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// What `names` has beside all of `chosen`; empty if it lacks some of them.
PartNames added_to(const PartNames& chosen, PartNames names) {
  if (!std::ranges::all_of(chosen, [&](const auto& name) { return is_among(names, name); }))
    return {};
  std::erase_if(names, [&](const auto& name) { return is_among(chosen, name); });
  return names;
}

/// What was asked with one part more than `chosen`, the most first.
std::vector<PartEffect> asked_beside(const PartNames& chosen,
                                     const std::vector<PartEffect>& effects) {
  std::vector<PartEffect> asked;
  std::ranges::copy_if(effects, std::back_inserter(asked), [&](const PartEffect& effect) {
    return is_one_part(added_to(chosen, names_in(effect.part)));
  });
  return asked;
}

/// The samples of all cells together: what `before` found, and what `after` did.
PairCounts pooled_pairs(const Results& results, const std::string& before,
                        const std::string& after) {
  PairCounts pooled;
  for (const Cell& cell : results.cells) {
    if (cell.kind != "recall" || cell.variant != after) continue;
    const Cell* other = results.recall_cell(before, cell.task, cell.length);
    if (other != nullptr) pooled += pair_samples(*other, cell);
  }
  return pooled;
}

/// The best of several is better than it is by chance as well, so each of them counts as a test.
double adjusted_p(const PairCounts& pairs, std::size_t asked) {
  return std::min(
      1.0, mcnemar_two_sided(pairs.only_first, pairs.only_second) * static_cast<double>(asked));
}

}  // namespace

PartPath take_path(const Results& results, std::vector<PartEffect>& alone) {
  PartPath path;
  PartNames chosen;
  while (!path.nothing_adds) {
    const std::vector<PartEffect> asked = asked_beside(chosen, alone);
    if (asked.empty()) break;
    const PartEffect& best = asked.front();
    if (!path.steps.empty()) {
      const PartEffect& last = path.steps.back().effect;
      for (const PartEffect& effect : asked)
        if (!is_one_part(names_in(effect.part))) path.asked_for_it.insert(effect.variant);
      path.nothing_adds = best.recovered.fraction <= last.recovered.fraction;
      if (path.nothing_adds) break;
    }
    PathStep step{.effect = best, .added = best.part, .asked = asked.size()};
    if (!path.steps.empty()) {
      const std::string& before = path.steps.back().effect.variant;
      step.added = fmt::format("{}", fmt::join(added_to(chosen, names_in(best.part)), ", "));
      step.p = adjusted_p(pooled_pairs(results, before, best.variant), asked.size());
    }
    chosen = names_in(best.part);
    path.steps.push_back(std::move(step));
  }
  std::erase_if(alone, [&](const PartEffect& e) { return path.asked_for_it.contains(e.variant); });
  return path;
}

bool is_back(const Recovered& recovered) {
  return recovered.fraction >= kNearlyAll && recovered.high.value_or(1) >= 1;
}

const PathStep* last_sure_step(const PartPath& path) {
  const PathStep* last = nullptr;
  for (std::size_t i = 1; i < path.steps.size() && path.steps[i].p <= kComparisonAlpha; ++i)
    last = &path.steps[i];
  return last;
}

std::string path_in_words(const PartPath& path) {
  if (!path.is_followed()) return "";
  std::string text = "Put back one after the other, each time the part that brings back the most:";
  for (const PathStep& step : path.steps) {
    const bool is_first = &step == &path.steps.front();
    text += fmt::format("{}{} {} ({}", is_first ? " " : "; with ", part_in_words(step.added),
                        percent_words(step.effect.recovered.fraction),
                        interval_words(step.effect.recovered));
    if (!is_first && step.p > kComparisonAlpha)
      text += fmt::format("; that it adds anything is not certain, {}", p_words(step.p));
    text += ")";
  }
  if (path.nothing_adds) return text + ". Nothing else put back besides brings back more.";
  return text +
         (is_back(path.steps.back().effect.recovered) ? ". With that the loss is back." : ".");
}

}  // namespace niah::reports
