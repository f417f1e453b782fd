#include "harness/base/pending_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

DataError cannot_write(const fs::path& path, const std::string& why) {
  return DataError(fmt::format("writing {}: {}", path.string(), why));
}

constexpr std::string_view kMark = ".niah-";

/// The name of a temporary of `target`, for `use`: ".results.json.niah-tmp".
std::string temporary_name(const fs::path& target, std::string_view use) {
  return fmt::format(".{}{}{}", target.filename().string(), kMark, use);
}

/// Removes temporaries of `target` that no process has locked: a kill left them.
void sweep_temporaries(const fs::path& target) {
  const std::string prefix = temporary_name(target, "tmp");
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator it(target.parent_path(), error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().starts_with(prefix)) found.push_back(it->path());
  for (const fs::path& path : found) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd.is_open() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

/// Whether the open file still has its name: another process may have swept it between its creation
/// and its lock.
bool is_linked(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_nlink > 0;
}

/// A new file next to `target`, locked for as long as it is open.
Descriptor create_temporary(const fs::path& target, fs::path& temporary) {
  static std::atomic<unsigned> count{0};  // names only have to differ
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    temporary = target.parent_path() /
                fmt::format("{}{}-{}", temporary_name(target, "tmp"), ::getpid(), count++);
    Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.is_open() && errno == EEXIST) continue;
    if (!fd.is_open()) return fd;
    // On a file system without locks, temporaries of killed processes are not removed; that is all.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
      if (is_linked(fd.get())) return fd;
  }
  errno = EEXIST;
  return Descriptor();
}

/// Waits until everything below `folder` is on the disk.
void sync_tree(const fs::path& folder, const std::function<void()>& between) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_symlink()) continue;
    if (entry.is_directory()) {
      sync_folder(entry.path());
      continue;
    }
    between();
    const Descriptor fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.is_open() || ::fsync(fd.get()) != 0) throw cannot_write(entry.path(), system_reason());
  }
  sync_folder(folder);
}

}  // namespace

fs::path resolve_links(const fs::path& path) {
  std::error_code error;
  fs::path target = path;
  constexpr int kMostLinks = 40;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(target, error)); ++i) {
    const fs::path next = fs::read_symlink(target, error);
    if (error) break;
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target;
}

bool is_temporary_name(std::string_view name) {
  return name.starts_with('.') && name.find(kMark) != name.npos;
}

fs::path normal_path(const fs::path& path) {
  std::error_code error;
  fs::path normal = fs::absolute(path, error).lexically_normal();
  if (error) normal = path.lexically_normal();
  return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();
}

fs::path canonical_path(const fs::path& path) {
  std::error_code error;
  const fs::path place = normal_path(resolve_links(normal_path(path)));
  const fs::path canonical = fs::weakly_canonical(place, error);
  return error ? place : canonical;
}

PendingFile::PendingFile(const fs::path& path) : path_(path) {
  if (path.empty()) throw UsageError("writing a file: its name is empty");
  if (!path.has_filename())
    throw UsageError(fmt::format(
        "writing {}: the slash at its end names a folder, a file was expected", path.string()));
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    throw cannot_write(path, "it is a folder, a file was expected");
  if (exists && !S_ISREG(info.st_mode)) {
    // O_NONBLOCK: a pipe that nobody reads is an error, not a wait.
    fd_ = Descriptor(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd_.is_open()) throw cannot_write(path, system_reason());
    ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) & ~O_NONBLOCK);
    return;
  }
  target_ = normal_path(resolve_links(path));
  sweep_temporaries(target_);
  fd_ = create_temporary(target_, temporary_);
  if (!fd_.is_open()) {
    temporary_.clear();
    throw cannot_write(path, system_reason());
  }
  if (exists) ::fchmod(fd_.get(), info.st_mode & 07777);  // whoever could read it still can
}

PendingFile::~PendingFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void PendingFile::write(std::string_view bytes) { write_all(fd_.get(), bytes, path_); }

void PendingFile::commit() {
  if (temporary_.empty()) {
    fd_.close();
    return;
  }
  if (::fsync(fd_.get()) != 0 || ::rename(temporary_.c_str(), target_.c_str()) != 0)
    throw cannot_write(path_, system_reason());
  temporary_.clear();
  fd_.close();
  sync_folder(target_.parent_path());
}

PendingFolder::PendingFolder(const fs::path& target)
    : target_(normal_path(resolve_links(normal_path(target)))) {
  require_own_folder(target_, {}, "writing a new folder");
  ensure_writable_folder(target_.parent_path());
  path_ = target_.parent_path() / temporary_name(target_, "partial");
  if (::mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST)
    throw cannot_write(target, system_reason());
  lock_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!lock_.is_open()) throw cannot_write(target, system_reason());
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw cannot_write(target, "another process is writing it");
  try {
    for (const auto& left : fs::directory_iterator(path_)) fs::remove_all(left.path());
  } catch (const fs::filesystem_error& error) {
    throw cannot_write(target, "what an earlier one left in " + path_.string() +
                                   " cannot be removed: " + error.code().message());
  }
}

PendingFolder::~PendingFolder() {
  std::error_code ignored;
  if (!is_committed_) fs::remove_all(path_, ignored);
}

void PendingFolder::commit(const std::function<void()>& between) {
  sync_tree(path_, between);
  // Replaces an empty folder, and nothing else.
  if (::rename(path_.c_str(), target_.c_str()) != 0) throw cannot_write(target_, system_reason());
  is_committed_ = true;
  sync_folder(target_.parent_path());
}

}  // namespace niah
