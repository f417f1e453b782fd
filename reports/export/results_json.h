// results.json: what a later run can be compared with.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// The form of results.json; a change that old readers would misread changes it.
inline constexpr std::string_view kResultsSchema = "niah-results/1";

/// The results as JSON: one line a cell, keys sorted, so that versions can be compared by eye and
/// by diff. All that depends on when and how fast the run went stands under "timing"; the rest is
/// the same for the same records in any order. Where the run has served variants, "served" has one
/// object for each: its verdict (served_verdict_name), hits of the checkpoint ("local") and of the
/// server among `n` samples that both were scored on, the exact McNemar test, how far their texts
/// agree, and the same by cell and by depth; how many samples were asked, what became of those that
/// were not scored, and how many answers were others when the server was asked again.
std::string results_json(const Results& results, const Analysis& analysis);

/// The opposite: everything but the examples. Throws DataError for what is not such a file, naming
/// `name`; counts that contradict the samples are refused.
Results parse_results(std::string_view text, const std::string& name);

/// Reads `path`: a results.json, or a run folder that holds one.
Results read_results(const std::filesystem::path& path);

/// Whether these results are of all that the journal holds: a run that went on since has more. By
/// the number of records, or where a file of an earlier version does not say it by the samples;
/// never by times, which a copy changes. Throws what reading the journal throws.
bool is_drawn_from(const Results& results, const std::filesystem::path& journal);

}  // namespace niah::reports
