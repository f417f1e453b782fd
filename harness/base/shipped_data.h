// Files that come with the program beside its binary: models/zoo, configs, kjv.txt.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace niah {

/// Where shipped files may be. Made apart from the process so that tests can say what it would be.
struct DataPlaces {
  /// NIAH_DATA_DIR; empty where it is not set. Who names a folder means it, so nothing else is
  /// looked into: falling back to other files would hide a mistake.
  std::filesystem::path named;
  /// The folder that holds the running program.
  std::filesystem::path program_folder;
  /// The source tree and the build tree of the program.
  std::vector<std::filesystem::path> built_from;

  /// The folders to look into, in this order: `named` alone; else share/niah of the prefix that the
  /// program is installed in, then what it was built from.
  std::vector<std::filesystem::path> folders() const;
};

/// The places of this process.
DataPlaces data_places();

/// The file or folder `name` ("models/zoo") in every folder that may hold it, the first one first.
std::vector<std::filesystem::path> shipped_candidates(const std::filesystem::path& name,
                                                      const DataPlaces& places = data_places());

/// The first candidate that is there.
std::optional<std::filesystem::path> find_shipped(const std::filesystem::path& name,
                                                  const DataPlaces& places = data_places());

/// The same. Throws DataError where none is there; `doing` names the purpose ("reproducing on the
/// small models").
std::filesystem::path require_shipped(const std::filesystem::path& name, std::string_view doing,
                                      const DataPlaces& places = data_places());

}  // namespace niah
