#include "harness/cli/compared_page.h"

#include <system_error>

#include "harness/base/path_kind.h"
#include "harness/base/text.h"
#include "harness/plan/run_folder.h"
#include "reports/gate/page_section.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

fs::path page_of(const fs::path& run) { return run / "report.html"; }

}  // namespace

void draw_compared_page(const fs::path& run, const reports::Report& report,
                        Comparison& comparison) {
  for (reports::Verdict& verdict : comparison.verdicts)
    verdict.page = valid_utf8(page_of(run).string());
  reports::write_page(
      report, run,
      reports::baseline_sections(comparison.baselines, comparison.current, comparison.verdicts));
}

std::string draw_refused_page(const fs::path& run, const std::string& reason) {
  if (run.empty() || !is_there(run / "plan.json")) return "";
  try {
    reports::write_page(draw_again(run), run, reports::refused_sections(reason));
    return valid_utf8(page_of(run).string());
  } catch (...) {  // the refusal itself is what must be said
    std::error_code ignored;
    fs::remove(page_of(run), ignored);
    return "";
  }
}

}  // namespace niah
