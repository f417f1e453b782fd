#include "harness/cli/print_report.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "reports/format.h"

namespace niah {

ExitCode print_report(const reports::Report& report, const std::filesystem::path& out) {
  const bool colour = ::isatty(STDERR_FILENO) != 0;
  write_stderr(reports::summary_text(report.results, report.analysis, colour,
                                     columns_of(STDERR_FILENO).value_or(reports::kColumns)));
  say("\nThe whole story: {}\n", single_line((out / "report.html").string()));
  const auto& cells = report.results.cells;
  const auto empty = std::count_if(cells.begin(), cells.end(),
                                   [](const reports::Cell& cell) { return cell.n == 0; });
  if (cells.empty()) {
    say("niah: nothing was measured: the journal holds no record of this sweep\n");
    return ExitCode::kNotMeasured;
  }
  if (empty == 0) return ExitCode::kOk;
  std::map<std::string, std::int64_t> outcomes;
  for (const reports::Cell& cell : cells)
    for (const auto& [outcome, count] : cell.unmeasured)
      if (cell.n == 0) outcomes[outcome] += count;
  say("niah: in {} of {} cells nothing could be measured ({})\n", empty, cells.size(),
      reports::unmeasured_words(outcomes));
  return ExitCode::kNotMeasured;
}

ExitCode print_whole_report(const reports::Report& report, const std::filesystem::path& out,
                            bool allow_missing) {
  const ExitCode code = print_report(report, out);
  if (allow_missing || report.results.run.shard) return code;
  const std::int64_t missing = reports::count_missing(reports::missing_samples(report.results));
  if (missing == 0) return code;
  say("niah: {} that the plan asks for {} no record; --allow-missing takes the run as it is\n",
      reports::counted(missing, "sample"), missing == 1 ? "has" : "have");
  return ExitCode::kNotMeasured;
}

void add_allow_missing(CLI::App& command, bool& allow_missing) {
  command.add_flag(
      "--allow-missing", allow_missing,
      "Exit 0 also where samples that the plan asks for have no record, or a run did not end; that "
      "is said anyway");
}

}  // namespace niah
