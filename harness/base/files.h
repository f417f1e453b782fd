// Files: reading, mapping, appending so that nothing is lost or hangs, whatever lies under a name.
// Files that are written piece by piece, and whole folders, are in pending.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace niah {

/// The most bytes that read_file takes unless it is told otherwise.
inline constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;

/// A file mapped read-only into memory; pages are read when touched.
class MappedFile {
 public:
  /// Throws DataError when the file cannot be opened or mapped, or is not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
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

/// Throws DataError when `path` cannot be looked at or is not a regular file (after symbolic
/// links): opening a named pipe would wait for ever, reading a device would never end. `doing`
/// names the purpose for the error ("reading the config").
void require_regular_file(const std::filesystem::path& path, std::string_view doing);

/// The whole file. Throws DataError when it cannot be read, is not a regular file, or has more than
/// `most` bytes.
std::string read_file(const std::filesystem::path& path, std::string_view doing,
                      std::uint64_t most = kMostFileBytes);

/// Replaces `path` by `content`: written beside it, fsynced, renamed. Throws DataError; a crash at
/// any moment leaves the old file or the new one. A device or pipe (/dev/stdout) is written to
/// instead of being replaced.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Creates the folder, parents too, so that its name survives a power loss, and proves that files
/// can be written in it, before any work is spent. Throws DataError (exit 3) with the reason.
void ensure_writable_folder(const std::filesystem::path& folder);

/// Throws UsageError when `folder` is there and holds anything, unless one of `markers` is among
/// it: the files by which a folder that this command may add to is known. `doing` names the purpose
/// ("running the sweep"). Files called as in `harmless` may be there, but say nothing of whose it
/// is.
void require_own_folder(const std::filesystem::path& folder,
                        const std::vector<std::string>& markers, std::string_view doing,
                        const std::vector<std::string>& harmless = {});

/// Waits until the folder's list of names is on the disk.
void sync_folder(const std::filesystem::path& folder);

/// A file that only grows: each append is one write and one fsync, so a line that append() returned
/// from survives kill -9 and power loss. One writer at a time (advisory lock).
class AppendFile {
 public:
  /// Opens or creates `path`. Throws DataError when another process writes it, it cannot be opened,
  /// or it is not a regular file.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Writes `bytes` at the end and waits until they are on the disk. What could not be written
  /// whole is taken back. Throws DataError.
  void append(std::string_view bytes);
  /// Cuts the file to its first `size` bytes: drops a torn last line.
  void truncate(std::size_t size);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool is_torn_ = false;  ///< a part of a write is there that could not be taken back
};

/// Bytes of a file.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

/// A new file of `size` zeros. Throws DataError, also when there is one of that name.
void create_file(const std::filesystem::path& path, std::uint64_t size);

/// Copies the bytes of `from` outside of `skip` (ascending, apart) to the same places of `to`,
/// which exists; inside of the kernel where the file system can. `between` is called every few
/// hundred megabytes and may throw. Throws DataError with both names and the system's reason.
void copy_bytes(const std::filesystem::path& from, const std::filesystem::path& to,
                const std::vector<ByteRange>& skip, const std::function<void()>& between);

}  // namespace niah
