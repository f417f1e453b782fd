// What became of the last run in a folder. Without it, what an earlier run left would pass for the
// results of one that was refused.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/base/error.h"

namespace niah {

/// The file in a run folder that says it.
inline constexpr const char* kLastRunFile = "last_run.json";

/// The file in a folder that holds a run for each of several haystacks: a list of their folders.
inline constexpr const char* kHaystacksFile = "haystacks.json";

/// The last run in a folder.
struct LastRun {
  std::string started;          ///< ISO 8601 UTC
  std::string ended{};          ///< likewise; empty: it still runs, or was killed
  std::string error{};          ///< why it was refused or ended early; empty: it was not
  std::string config_sha256{};  ///< of the sweep that it ended with; empty if it did not end well
  /// Of a merge that has not put anything in place: the trouble of what its folder still holds,
  /// empty if that is an earlier merge without any.
  std::optional<std::string> held{};

  bool ended_well() const { return !ended.empty() && error.empty(); }
  /// Of one that did not end well, in words: "begun 2026-11-28T02:00:00Z, did not end: ...".
  std::string trouble() const;
  /// What is wrong with the records in its folder; empty if nothing is.
  std::string trouble_of_records() const;
};

/// The mark in `folder`; nullopt where there is none, as in folders of earlier versions and of
/// merges. Throws DataError naming the file if it cannot be read.
std::optional<LastRun> read_last_run(const std::filesystem::path& folder);

/// Marks the run in `folder` as begun: from here on a kill at any moment leaves a mark of a run
/// that did not end. A merge says as `held` what LastRun::held is. Throws DataError.
void mark_begun(const std::filesystem::path& folder, const std::optional<std::string>& held = {});

/// Marks the run in `folder` as ended well, with the sweep `config_json`. Throws DataError.
void mark_ended(const std::filesystem::path& folder, const std::string& config_json);

/// Marks the run in `folder` as ended by an error. Throws DataError.
void mark_failed(const std::filesystem::path& folder, const std::string& error,
                 const std::optional<std::string>& held = {});

/// Removes the mark, if there is one.
void remove_mark(const std::filesystem::path& folder);

/// Does `work`, which is to run a sweep in `folder` and marks its end itself. If `folder` already
/// holds a run, that is marked as begun first, so that whatever keeps `work` from its end, from a
/// config that cannot be read on, leaves a mark. Passes on what `work` throws.
ExitCode with_mark(const std::filesystem::path& folder, const std::function<ExitCode()>& work);

/// Does `work`. What it throws is marked as the end of the run in `folder`, if there is one, and
/// passed on.
ExitCode with_mark_of_failure(const std::filesystem::path& folder,
                              const std::function<ExitCode()>& work);

/// An exception's message in one line, for marks and verdicts.
std::string words_of(const std::exception_ptr& error);

}  // namespace niah
