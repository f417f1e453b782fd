#include "harness/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "harness/base/descriptor.h"
#include "harness/base/error.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/units.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// Opens a regular file for reading. A pipe is refused before that: opening it would wait for a
/// writer.
Descriptor open_regular(const fs::path& path, std::string_view doing, struct stat& info) {
  require_regular_file(path, doing);
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open() || ::fstat(fd.get(), &info) != 0)
    throw DataError(fmt::format("{}: cannot open {}: {}", doing, path.string(), system_reason()));
  return fd;
}

const char* kind_of_file(const fs::file_status& status) {
  switch (status.type()) {
    case fs::file_type::directory:
      return "a folder";
    case fs::file_type::fifo:
      return "a named pipe";
    case fs::file_type::socket:
      return "a socket";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device";
    default:
      return "not a regular file";
  }
}

/// Why nothing was found at `path`; `error` is what the system reported.
std::string why_missing(const fs::path& path, const std::error_code& error) {
  const bool is_absent = !error || error == std::errc::no_such_file_or_directory;
  if (is_absent && is_listed(path))
    return "the link leads nowhere, the file that it names was not fetched or is gone";
  return error ? error.message() : "there is no such file";
}

/// Copies through a buffer: between two file systems, or on one without copying in the kernel.
bool copy_through_buffer(int in, int out, std::uint64_t at, std::uint64_t end) {
  constexpr std::uint64_t kBuffer = std::uint64_t{1} << 20;
  const std::unique_ptr<char[]> buffer(new char[kBuffer]);
  while (at < end) {
    const auto count =
        ::pread(in, buffer.get(), std::min(kBuffer, end - at), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    for (ssize_t done = 0; done < count;) {
      const auto written =
          ::pwrite(out, buffer.get() + done, static_cast<std::size_t>(count - done),
                   static_cast<off_t>(at) + done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      done += written;
    }
    at += static_cast<std::uint64_t>(count);
  }
  return true;
}

/// Copies bytes [at, end) to the same place; false with errno set.
bool copy_range(int in, int out, std::uint64_t at, std::uint64_t end,
                const std::function<void()>& between) {
  constexpr std::uint64_t kPiece = std::uint64_t{256} << 20;
  bool in_kernel = true;
  while (at < end) {
    between();
    const std::uint64_t stop = std::min(end, at + kPiece);
    if (!in_kernel) {
      if (!copy_through_buffer(in, out, at, stop)) return false;
      at = stop;
      continue;
    }
    auto from = static_cast<off_t>(at), to = from;
    const ssize_t copied = ::copy_file_range(in, &from, out, &to, stop - at, 0);
    if (copied > 0) at += static_cast<std::uint64_t>(copied);
    if (copied > 0 || (copied < 0 && errno == EINTR)) continue;
    if (copied == 0) errno = EIO;  // the file became shorter
    in_kernel = false;
    const bool cannot = errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
    if (!cannot) return false;
  }
  return true;
}

}  // namespace

MappedFile::MappedFile(const fs::path& path, std::string_view doing) : path_(path) {
  struct stat info {};
  const Descriptor fd = open_regular(path, doing, info);
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED)
    throw DataError(
        fmt::format("mapping {} ({} bytes): {}", path.string(), size_, system_reason()));
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void require_regular_file(const fs::path& path, std::string_view doing) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw DataError(
        fmt::format("{}: cannot open {}: {}", doing, path.string(), why_missing(path, error)));
  if (!fs::is_regular_file(status))
    throw DataError(fmt::format("{}: {} is {}, a file was expected", doing, path.string(),
                                kind_of_file(status)));
}

std::string read_file(const fs::path& path, std::string_view doing, std::uint64_t most) {
  struct stat info {};
  const Descriptor fd = open_regular(path, doing, info);
  const auto refuse_size = [&](const std::string& size) {
    return DataError(fmt::format("{}: {} has {}, at most {} were expected", doing, path.string(),
                                 size, format_bytes(static_cast<double>(most))));
  };
  const auto expected = static_cast<std::uint64_t>(info.st_size);
  if (expected > most) throw refuse_size(format_bytes(static_cast<double>(expected)));
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::string content;
  content.reserve(expected + 1);
  for (;;) {
    const std::size_t before = content.size();
    // One byte more than expected, so that usually one read gets the file and a second finds its
    // end.
    content.resize(std::max<std::size_t>(expected + 1, before + (before > expected ? kPiece : 1)));
    const ssize_t count = ::read(fd.get(), content.data() + before, content.size() - before);
    if (count < 0 && errno != EINTR)
      throw DataError(fmt::format("{}: cannot read {}: {}", doing, path.string(), system_reason()));
    content.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (content.size() > most) throw refuse_size("no end");
    if (count == 0) break;
  }
  if (content.size() < expected)
    throw DataError(fmt::format("{}: {} ended after {} of its {} bytes: is it being written?",
                                doing, path.string(), content.size(), expected));
  return content;
}

void write_file(const fs::path& path, std::string_view content) {
  PendingFile file(path);
  file.write(content);
  file.commit();
}

void sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (fd.is_open()) ::fsync(fd.get());
}

namespace {

/// Creates a folder and its parents, each durably before the next.
void create_folders(const fs::path& folder, std::error_code& error) {
  if (folder.empty() || fs::is_directory(folder, error)) return;
  create_folders(folder.parent_path(), error);
  if (!fs::create_directory(folder, error)) return;
  sync_folder(folder.parent_path());
}

/// Whether a file can be created in the folder; errno says why not. Leaves no file behind, even
/// when the process is killed, if the file system has O_TMPFILE.
bool can_create_in(const fs::path& folder) {
  if (Descriptor(::open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644)).is_open())
    return true;
  const bool unsupported = errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL;
  if (!unsupported) return false;
  const fs::path probe = folder / fmt::format(".niah-probe{}", ::getpid());
  const Descriptor fd(::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.is_open()) ::unlink(probe.c_str());
  return fd.is_open();
}

}  // namespace

void ensure_writable_folder(const fs::path& folder) {
  std::error_code error;
  // Without a trailing slash, which would make the folder its own parent.
  create_folders(folder.has_filename() ? folder : folder.parent_path(), error);
  if (!is_folder(folder))
    throw DataError(fmt::format("creating the output folder {}: {}", folder.string(),
                                error ? error.message() : "it exists and is not a folder"));
  if (!can_create_in(folder))
    throw DataError(
        fmt::format("the output folder {} is not writable: {}", folder.string(), system_reason()));
}

void require_own_folder(const fs::path& folder, const std::vector<std::string>& markers,
                        std::string_view doing, const std::vector<std::string>& harmless) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status))
    throw UsageError(
        fmt::format("{}: {} is there already and is not a folder", doing, folder.string()));
  for (const std::string& marker : markers)
    if (fs::exists(folder / marker, error)) return;
  const fs::directory_iterator entries(folder, error);
  if (error) throw DataError(fmt::format("{}: {}: {}", doing, folder.string(), error.message()));
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    const bool is_harmless = std::find(harmless.begin(), harmless.end(), name) != harmless.end();
    if (is_harmless || is_temporary_name(name)) continue;
    throw UsageError(fmt::format("{}: {} holds other things ({}{}); choose a new or empty folder",
                                 doing, folder.string(), name,
                                 entry.is_directory(error) ? "/" : ""));
  }
}

AppendFile::AppendFile(const fs::path& path) : path_(path) {
  const bool is_new = !is_there(path);
  if (!is_new) require_regular_file(path, "opening a file to append");
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0)
    throw DataError(fmt::format("opening {} to append: {}", path.string(), system_reason()));
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
    // Otherwise a power loss could lose the file's name, and with it every line that was synced.
    if (is_new) sync_folder(path.parent_path());
    return;
  }
  const std::string why = errno == EWOULDBLOCK ? "another process is writing it" : system_reason();
  ::close(fd_);
  throw DataError(fmt::format("opening {} to append: {}", path.string(), why));
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view bytes) {
  if (is_torn_)
    throw DataError(fmt::format("writing {}: an earlier write failed half way", path_.string()));
  struct stat before {};
  if (::fstat(fd_, &before) != 0)
    throw DataError(fmt::format("writing {}: {}", path_.string(), system_reason()));
  try {
    write_all(fd_, bytes, path_);
    if (::fsync(fd_) != 0)
      throw DataError(fmt::format("writing {}: {}", path_.string(), system_reason()));
  } catch (...) {
    // Half a line, followed by others, would corrupt the file.
    is_torn_ = ::ftruncate(fd_, before.st_size) != 0;
    throw;
  }
}

void AppendFile::truncate(std::size_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
    throw DataError(fmt::format("repairing {}: {}", path_.string(), system_reason()));
}

void create_file(const fs::path& path, std::uint64_t size) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fd.get() < 0 || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    throw DataError(fmt::format("writing {}: {}", path.string(), system_reason()));
}

void copy_bytes(const fs::path& from, const fs::path& to, const std::vector<ByteRange>& skip,
                const std::function<void()>& between) {
  const auto refuse = [&] {
    return DataError(
        fmt::format("copying {} to {}: {}", from.string(), to.string(), system_reason()));
  };
  const Descriptor in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) throw refuse();
  const Descriptor out(::open(to.c_str(), O_WRONLY | O_CLOEXEC));
  struct stat info {};
  if (out.get() < 0 || ::fstat(in.get(), &info) != 0) throw refuse();
  const auto end = static_cast<std::uint64_t>(info.st_size);
  std::uint64_t at = 0;
  for (const ByteRange& range : skip) {
    if (!copy_range(in.get(), out.get(), at, range.begin, between)) throw refuse();
    at = range.begin + range.size;
  }
  if (!copy_range(in.get(), out.get(), at, end, between)) throw refuse();
}

}  // namespace niah
