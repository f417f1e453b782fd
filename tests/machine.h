// Handling of tests whose requirements the machine may not meet.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

namespace niah {

/// Whether a test whose requirements are not met must fail (NIAH_REQUIRE_ALL=1, as in CI) instead
/// of being skipped. In CI nobody would notice a skipped test.
inline bool machine_has_all() {
  const char* all = std::getenv("NIAH_REQUIRE_ALL");
  return all != nullptr && std::string_view(all) == "1";
}

/// The folder of the full recordings; nullopt if NIAH_GOLDEN_DIR is not set. They are not part of
/// the sources, so NIAH_REQUIRE_ALL does not require them.
inline std::optional<std::filesystem::path> golden_folder() {
  const char* folder = std::getenv("NIAH_GOLDEN_DIR");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

}  // namespace niah

/// Ends a test that this machine cannot run: skips it, or fails it with NIAH_REQUIRE_ALL=1.
#define NIAH_CANNOT_RUN(what)                                                                   \
  do {                                                                                          \
    if (niah::machine_has_all()) FAIL() << what << "; NIAH_REQUIRE_ALL=1 says that it is here"; \
    GTEST_SKIP() << what;                                                                       \
  } while (false)

/// Skips a test of the full recordings if they are not available.
#define NIAH_NEEDS_GOLDENS()  \
  if (!niah::golden_folder()) \
  GTEST_SKIP() << "the full recordings are not here; NIAH_GOLDEN_DIR names their folder"
