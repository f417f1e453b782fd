// The path of a greedy search: parts put back one after the other, each time the one that then
// brings back the most.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// Follows the path among the parts of one model that were asked, the most first. What was asked
/// for the sake of the path is removed from `alone`. Parts of some layers only are on no path.
PartPath take_path(const Results& results, std::vector<PartEffect>& alone);

/// Whether so much came back that 100 % lies in its interval.
bool is_back(const Recovered& recovered);

/// The last step up to which each surely adds to what comes back; nullptr if that is the first.
const PathStep* last_sure_step(const PartPath& path);

/// "Put back one after the other, each time the part that brings back the most: W_Q and W_K 81 %
/// (...); with the linear layers 97 % (...).", and why it ends there; "" for a path that was not
/// followed.
std::string path_in_words(const PartPath& path);

}  // namespace niah::reports
