// Files and folders that appear complete or not at all: they are written next to their target under
// a temporary name, then renamed. What a killed process left behind is removed by the next one that
// writes the same target.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "harness/base/descriptor.h"

namespace niah {

/// The target of a symbolic link, even if it does not exist yet; any other path unchanged.
std::filesystem::path resolve_links(const std::filesystem::path& path);

/// A file being written: until commit(), nothing is under its name, or what was there before.
class PendingFile {
 public:
  /// Throws UsageError for a name that is empty or ends in a slash, DataError when nothing can be
  /// written next to `path`, or when `path` is neither absent nor a file. A symbolic link keeps
  /// pointing where it does: its target is replaced.
  explicit PendingFile(const std::filesystem::path& path);
  /// Removes what was not committed.
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// Adds `bytes` to the end. Throws DataError.
  void write(std::string_view bytes);
  /// Fsyncs the file and renames it to its target. Throws DataError.
  void commit();

 private:
  std::filesystem::path path_;       ///< as the user wrote it, for errors
  std::filesystem::path target_;     ///< where it goes
  std::filesystem::path temporary_;  ///< empty: the target is written to directly
  Descriptor fd_;
};

/// A folder being written: nothing is under its name until commit().
class PendingFolder {
 public:
  /// Makes an empty folder next to `target` to write in. Throws UsageError when `target` exists and
  /// is not an empty folder, DataError when another process is writing it or the system refuses.
  explicit PendingFolder(const std::filesystem::path& target);
  /// Removes what was not committed.
  ~PendingFolder();
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;

  /// The temporary folder, to write in.
  const std::filesystem::path& path() const { return path_; }
  /// Waits until every file in it is on the disk, then renames the folder to its target. `between`
  /// is called before each file and may throw. Throws DataError.
  void commit(const std::function<void()>& between = [] {});

 private:
  std::filesystem::path target_, path_;
  Descriptor lock_;
  bool is_committed_ = false;
};

/// Whether a name is that of a temporary file or folder: of a write in progress, or left by a kill.
/// The next writer of the same target removes it.
bool is_temporary_name(std::string_view name);

/// An absolute path without `.`, `..` and trailing slash, so that its parent is the folder it is
/// in.
std::filesystem::path normal_path(const std::filesystem::path& path);

/// Where a path leads, which need not exist: absolute, with all symbolic links followed. Two paths
/// of one file or folder have the same.
std::filesystem::path canonical_path(const std::filesystem::path& path);

}  // namespace niah
