#include "reports/analysis/pairs.h"

#include <cstddef>

namespace niah::reports {

void for_each_match(const std::vector<const Cell*>& cells,
                    const std::function<void(const std::vector<const Outcome*>&)>& visit) {
  std::vector<std::size_t> at(cells.size(), 0);
  std::vector<const Outcome*> match(cells.size());
  for (const Outcome& lead : cells.front()->samples) {
    bool complete = lead.scored;
    match[0] = &lead;
    for (std::size_t i = 1; i < cells.size() && complete; ++i) {
      const std::vector<Outcome>& samples = cells[i]->samples;
      while (at[i] < samples.size() && samples[at[i]].index < lead.index) ++at[i];
      complete = at[i] < samples.size() && samples[at[i]].index == lead.index &&
                 samples[at[i]].prompt == lead.prompt && samples[at[i]].scored;
      if (complete) match[i] = &samples[at[i]];
    }
    if (complete) visit(match);
  }
}

PairCounts pair_samples(const Cell& first, const Cell& second) {
  return pair_samples_by_band(first, second, 1).front();
}

std::vector<double> log_prob_changes(const Cell& first, const Cell& second) {
  std::vector<double> changes;
  for_each_match({&first, &second}, [&](const std::vector<const Outcome*>& match) {
    if (match[0]->log_prob && match[1]->log_prob)
      changes.push_back(*match[1]->log_prob - *match[0]->log_prob);
  });
  return changes;
}

std::vector<PairCounts> pair_samples_by_band(const Cell& first, const Cell& second, int bands) {
  std::vector<PairCounts> out(static_cast<std::size_t>(bands));
  for_each_match({&first, &second}, [&](const std::vector<const Outcome*>& match) {
    // By the second's, since the first may come from a file that has only requested depths.
    const int band = depth_band(match[1]->real_depth, bands);
    out[static_cast<std::size_t>(band)].add(match[0]->hit, match[1]->hit);
  });
  return out;
}

}  // namespace niah::reports
