// Writing and reading results.json, the file that later runs are compared with.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"

namespace niah::reports {

/// The format version of results.json; raised by any change that older readers would misread.
inline constexpr std::string_view kResultsSchema = "niah-results/1";

/// The results as JSON: one line per cell and sorted keys, so that two files can be compared by eye
/// and with diff. Everything that depends on when and how fast the run went is under "timing"; the
/// rest depends on the records alone, not on their order. If the run has served variants, "served"
/// has one object for each: its verdict (served_verdict_name), the hits of the checkpoint ("local")
/// and of the server among the `n` samples scored for both, the exact McNemar test, how far their
/// texts agree, the same by cell and by depth, the number of samples asked, the outcomes of those
/// not scored, and the number of answers that changed when the server was asked again.
std::string results_json(const Results& results, const Analysis& analysis);

/// Parses results.json; it holds no examples. Throws DataError naming `name` if the text is not a
/// valid results.json or its counts contradict its samples.
Results parse_results(std::string_view text, const std::string& name);

/// Reads `path`, a results.json or a run folder that holds one. Throws DataError as parse_results
/// does, or if the file cannot be read.
Results read_results(const std::filesystem::path& path);

/// Whether these results cover the whole journal, which has more records if the run continued
/// afterwards. Compares the number of records, or, for a file of an earlier version without it, the
/// samples; never file times, which copying changes. Throws DataError if the journal cannot be
/// read.
bool is_drawn_from(const Results& results, const std::filesystem::path& journal);

}  // namespace niah::reports
