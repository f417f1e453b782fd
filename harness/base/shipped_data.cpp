#include "harness/base/shipped_data.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <system_error>

#include "harness/base/error.h"
#include "harness/base/path_kind.h"

namespace niah {

namespace fs = std::filesystem;

namespace {

fs::path program_folder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path();
}

}  // namespace

std::vector<fs::path> DataPlaces::folders() const {
  if (!named.empty()) return {named};
  std::vector<fs::path> folders;
  if (!program_folder.empty()) folders.push_back(program_folder.parent_path() / "share" / "niah");
  folders.insert(folders.end(), built_from.begin(), built_from.end());
  return folders;
}

DataPlaces data_places() {
  const char* named = std::getenv("NIAH_DATA_DIR");
  return {named == nullptr ? fs::path() : fs::path(named),
          program_folder(),
          {NIAH_SOURCE_TREE, NIAH_BUILD_TREE "/share/niah"}};
}

std::vector<fs::path> shipped_candidates(const fs::path& name, const DataPlaces& places) {
  std::vector<fs::path> candidates;
  for (const fs::path& folder : places.folders()) candidates.push_back(folder / name);
  return candidates;
}

std::optional<fs::path> find_shipped(const fs::path& name, const DataPlaces& places) {
  for (const fs::path& candidate : shipped_candidates(name, places))
    if (is_there(candidate)) return candidate;
  return std::nullopt;
}

fs::path require_shipped(const fs::path& name, std::string_view doing, const DataPlaces& places) {
  if (const auto found = find_shipped(name, places)) return *found;
  std::vector<std::string> looked_for;
  for (const fs::path& candidate : shipped_candidates(name, places))
    looked_for.push_back(candidate.string());
  throw DataError(fmt::format(
      "{}: {}, which comes with niah, is not there (looked for {}). {}", doing, name.string(),
      fmt::join(looked_for, ", "),
      places.named.empty()
          ? "Is niah installed whole? NIAH_DATA_DIR can name the folder that holds it."
          : "Nothing else is looked into where NIAH_DATA_DIR names a folder: unset it, or let it "
            "name the share/niah of an installation."));
}

}  // namespace niah
