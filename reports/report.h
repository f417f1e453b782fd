// Writes all of a run's reports from its records.
#pragma once

#include <filesystem>
#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"
#include "reports/companion.h"
#include "reports/draw/table.h"
#include "reports/export/lm_eval.h"
#include "reports/gate/page_section.h"
#include "reports/journal_reader.h"
#include "reports/record.h"

namespace niah::reports {

/// The results that the reports were written from.
struct Report {
  Results results;
  Analysis analysis;
  JournalEnd journal;                ///< what was found in the journal; empty for records in memory
  std::vector<std::string> files{};  ///< relative paths of the tables and heatmaps that it links to
  std::vector<Companion> companions{};  ///< other runs that the page shows
};

/// Reads the journals one after the other and writes results.json, report.html, tables/, heatmaps/
/// and lm_eval/ into the folder `out`, each file atomically. The same records give the same files,
/// except for times. `texts` puts the samples' prompts into lm_eval/. Throws DataError for a bad
/// journal or a folder that cannot be written, and what `texts` throws.
Report write_report(const RunInfo& run, const std::vector<std::filesystem::path>& journals,
                    const std::filesystem::path& out, const SampleTexts& texts = {});

/// The same from records in memory.
Report write_report(const RunInfo& run, const std::vector<Record>& records,
                    const std::filesystem::path& out);

/// Writes the page of a report in the folder `out` again, with what a comparison with a baseline
/// found. Throws DataError.
void write_page(const Report& report, const std::filesystem::path& out,
                const BaselineSections& baseline);

/// The findings in words and the summary table, for a terminal of so many columns.
std::string summary_text(const Results& results, const Analysis& analysis, bool colour,
                         std::size_t columns = kColumns);

}  // namespace niah::reports
