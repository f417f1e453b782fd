// Files and folders that appear whole or not at all: written under another name beside their place,
// then renamed. What a killed process left of them is removed by the next one that writes the same.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "harness/base/descriptor.h"

namespace niah {

/// Where a link leads, also to what is not there yet; any other path itself.
std::filesystem::path resolve_links(const std::filesystem::path& path);

/// A file on its way: nothing is under its name, or what was there before, until commit().
class PendingFile {
 public:
  /// Throws UsageError for a name that is empty or ends in a slash, DataError when nothing can be
  /// written beside `path`, or when `path` is neither absent nor a file. A symbolic link keeps
  /// pointing where it does: its target is replaced.
  explicit PendingFile(const std::filesystem::path& path);
  /// Removes what was not committed.
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// Throws DataError.
  void write(std::string_view bytes);
  /// Puts the file in its place, on the disk. Throws DataError.
  void commit();

 private:
  std::filesystem::path path_;       ///< as the user wrote it, for errors
  std::filesystem::path target_;     ///< where it goes
  std::filesystem::path temporary_;  ///< empty: the target is written to directly
  Descriptor fd_;
};

/// A folder on its way: nothing is under its name until commit().
class PendingFolder {
 public:
  /// Makes an empty folder beside `target` to write in. Throws UsageError when there is anything at
  /// `target` but an empty folder, DataError when another process writes the same one or the system
  /// refuses.
  explicit PendingFolder(const std::filesystem::path& target);
  /// Removes what was not committed.
  ~PendingFolder();
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;

  /// Where to write.
  const std::filesystem::path& path() const { return path_; }
  /// Waits until every file in it is on the disk, then puts the folder in its place. `between` is
  /// called before each file and may throw. Throws DataError.
  void commit(const std::function<void()>& between = [] {});

 private:
  std::filesystem::path target_, path_;
  Descriptor lock_;
  bool is_committed_ = false;
};

/// Whether a file or folder has a name that only writing under way, or a kill, leaves: the next
/// writer of the same target removes it.
bool is_temporary_name(std::string_view name);

/// An absolute path without `.`, `..` and a slash at its end, so that "beside it" has a meaning.
std::filesystem::path normal_path(const std::filesystem::path& path);

}  // namespace niah
