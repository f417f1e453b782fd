#include "harness/plan/companions.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/path_kind.h"
#include "harness/plan/run_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCompanions = "beside";

/// The names of the runs beside a run, sorted.
std::vector<std::string> companions_of(const fs::path& run) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(run / kCompanions, error), end; !error && entry != end;
       entry.increment(error))
    if (is_there(entry->path() / "plan.json")) names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

reports::Companion read_companion(const fs::path& folder, const std::string& name) {
  const std::string link = std::string(kCompanions) + "/" + name;
  try {
    const reports::Report report = draw_again(folder);
    return reports::companion_of(report.results, report.analysis, link);
  } catch (const Error& error) {
    return reports::unread_companion(link, error.what());
  }
}

}  // namespace

fs::path companion_folder(const fs::path& run, const std::string& name) {
  return run / kCompanions / name;
}

void add_companions(reports::Report& report, const fs::path& run) {
  for (const std::string& name : companions_of(run))
    report.companions.push_back(read_companion(companion_folder(run, name), name));
  if (!report.companions.empty()) reports::write_page(report, run, {});
}

}  // namespace niah
