// Files: reading, mapping and durable appending, none of which hangs on pipes or devices. Files
// that are written piece by piece, and whole folders, are in pending_folder.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace niah {

/// The default size limit of read_file(), in bytes.
inline constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;

/// A file mapped read-only into memory; pages are read when touched.
class MappedFile {
 public:
  /// Throws DataError when the file cannot be opened or mapped, or is not a regular file; `doing`
  /// says in it for what it was opened.
  explicit MappedFile(const std::filesystem::path& path, std::string_view doing = "opening a file");
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Throws DataError when `path` cannot be examined or is not a regular file (after symbolic links):
/// opening a named pipe would wait for ever, reading a device would never end. `doing` names the
/// purpose for the error ("reading the config").
void require_regular_file(const std::filesystem::path& path, std::string_view doing);

/// The whole file. Throws DataError when it cannot be read, is not a regular file, or has more than
/// `most` bytes.
std::string read_file(const std::filesystem::path& path, std::string_view doing,
                      std::uint64_t most = kMostFileBytes);

/// Replaces `path` by `content`, by way of a temporary file next to it that is fsynced and renamed.
/// Throws DataError; a crash at any moment leaves the old file or the new one. A device or pipe
/// (/dev/stdout) is written to instead of being replaced.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Creates the folder and its parents so that they survive a power loss, and checks that files can
/// be written in it, so that a run fails before any work is done. Throws DataError (exit 3) with
/// the reason.
void ensure_writable_folder(const std::filesystem::path& folder);

/// Throws UsageError when `folder` exists and is not empty, unless it holds one of `markers`: files
/// that mark a folder which this command may add to. `doing` names the purpose for the error
/// ("running the sweep"). Files named in `harmless` are ignored.
void require_own_folder(const std::filesystem::path& folder,
                        const std::vector<std::string>& markers, std::string_view doing,
                        const std::vector<std::string>& harmless = {});

/// Fsyncs the folder, so that the names in it survive a power loss.
void sync_folder(const std::filesystem::path& folder);

/// A file that only grows. Each append() is one write and one fsync, so once it has returned, its
/// bytes survive kill -9 and power loss. One writer at a time (advisory lock).
class AppendFile {
 public:
  /// Opens or creates `path`. Throws DataError when another process is writing it, it cannot be
  /// opened, or it is not a regular file.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Writes `bytes` at the end and waits until they are on the disk. A partial write is undone.
  /// Throws DataError.
  void append(std::string_view bytes);
  /// Truncates the file to `size` bytes, to drop an incomplete last line. Throws DataError.
  void truncate(std::size_t size);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool is_torn_ = false;  ///< a partial write could not be undone
};

/// A range of a file's bytes.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

/// Creates a file of `size` zero bytes. Throws DataError, also when `path` exists.
void create_file(const std::filesystem::path& path, std::uint64_t size);

/// Copies the bytes of `from` outside of `skip` (ascending, disjoint) to the same offsets of `to`,
/// which must exist; inside the kernel where the file system supports that. `between` is called
/// every few hundred megabytes and may throw. Throws DataError with both names and the system's
/// reason.
void copy_bytes(const std::filesystem::path& from, const std::filesystem::path& to,
                const std::vector<ByteRange>& skip, const std::function<void()>& between);

}  // namespace niah
