#include "harness/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>

#include "harness/base/error.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

/// A file descriptor that is closed on every way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw DataError(fmt::format("writing {}: {}", path.string(), reason()));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (fd.get() >= 0) ::fsync(fd.get());
}

/// Between two file systems, or on one that cannot copy by itself: through a buffer.
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

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) throw DataError(fmt::format("opening {}: {}", path.string(), reason()));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    throw DataError(fmt::format("opening {}: {}", path.string(), reason()));
  if (!S_ISREG(info.st_mode))
    throw DataError(fmt::format("opening {}: not a regular file", path.string()));
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED)
    throw DataError(fmt::format("mapping {} ({} bytes): {}", path.string(), size_, reason()));
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_file(const fs::path& path, std::string_view doing) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw DataError(fmt::format("{}: {} is a folder, a file was expected", doing, path.string()));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw DataError(fmt::format("{}: cannot open {}: {}", doing, path.string(), reason()));
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) throw DataError(fmt::format("{}: cannot read {}", doing, path.string()));
  return content;
}

void write_file(const fs::path& path, std::string_view content) {
  const fs::path temporary = path.string() + fmt::format(".tmp{}", ::getpid());
  {
    const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) throw DataError(fmt::format("writing {}: {}", path.string(), reason()));
    try {
      write_all(fd.get(), content, path);
      if (::fsync(fd.get()) != 0)
        throw DataError(fmt::format("writing {}: {}", path.string(), reason()));
    } catch (...) {
      ::unlink(temporary.c_str());
      throw;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary.c_str());
    throw DataError(fmt::format("writing {}: {}", path.string(), why));
  }
  sync_folder(path.parent_path());
}

void ensure_writable_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder))
    throw DataError(fmt::format("creating the output folder {}: {}", folder.string(),
                                error ? error.message() : "it exists and is not a folder"));
  const fs::path probe = folder / fmt::format(".probe{}", ::getpid());
  const Descriptor fd(::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0)
    throw DataError(
        fmt::format("the output folder {} is not writable: {}", folder.string(), reason()));
  ::unlink(probe.c_str());
}

AppendFile::AppendFile(const fs::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw DataError(fmt::format("opening {} to append: {}", path.string(), reason()));
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const std::string why = errno == EWOULDBLOCK ? "another process is writing it" : reason();
  ::close(fd_);
  throw DataError(fmt::format("opening {} to append: {}", path.string(), why));
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view bytes) {
  if (is_torn_)
    throw DataError(fmt::format("writing {}: an earlier write did not end", path_.string()));
  struct stat before {};
  if (::fstat(fd_, &before) != 0)
    throw DataError(fmt::format("writing {}: {}", path_.string(), reason()));
  try {
    write_all(fd_, bytes, path_);
    if (::fsync(fd_) != 0) throw DataError(fmt::format("writing {}: {}", path_.string(), reason()));
  } catch (...) {
    // Half a line in the middle would spoil the file for good.
    is_torn_ = ::ftruncate(fd_, before.st_size) != 0;
    throw;
  }
}

void AppendFile::truncate(std::size_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
    throw DataError(fmt::format("repairing {}: {}", path_.string(), reason()));
}

fs::path executable_folder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : self.parent_path();
}

void create_file(const fs::path& path, std::uint64_t size) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fd.get() < 0 || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    throw DataError(fmt::format("writing {}: {}", path.string(), reason()));
}

void copy_bytes(const fs::path& from, const fs::path& to, const std::vector<ByteRange>& skip,
                const std::function<void()>& between) {
  const auto refuse = [&] {
    return DataError(fmt::format("copying {} to {}: {}", from.string(), to.string(), reason()));
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
