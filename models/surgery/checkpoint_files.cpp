#include "models/surgery/checkpoint_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "harness/base/path_kind.h"

namespace niah::models {

namespace fs = std::filesystem;

std::vector<std::string> prepare_copies(const fs::path& from, const fs::path& to) try {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path name = entry.path().lexically_relative(from);
    if (name == kRestoreManifest) continue;  // replaced by write_manifest
    if (entry.is_symlink() && is_folder(entry.path())) {
      // Kept as a link: followed, it might lead in a circle.
      fs::create_directory_symlink(fs::canonical(entry.path()), to / name);
    } else if (is_folder(entry.path())) {
      fs::create_directory(to / name);
    } else if (is_there(entry.path()) && entry.is_regular_file()) {
      create_file(to / name, entry.file_size());
      names.push_back(name.string());
    } else {
      throw DataError(fmt::format("restoring: {} is {}, so it cannot be copied; remove it first",
                                  entry.path().string(),
                                  entry.is_symlink() ? "a link that leads to no file or folder"
                                                     : "neither a file nor a folder"));
    }
  }
  return names;
} catch (const fs::filesystem_error& error) {
  throw DataError(
      fmt::format("restoring: copying {}: {}", error.path1().string(), error.code().message()));
}

Patch::Patch(const fs::path& path) : path_(path), fd_(::open(path.c_str(), O_WRONLY)) {
  if (!fd_.is_open()) fail();
}

void Patch::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail();
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void Patch::fail() const {
  throw DataError(fmt::format("writing {}: {}", path_.string(), system_reason()));
}

Copying::Copying(const fs::path& from, const fs::path& to,
                 std::map<std::string, std::vector<ByteRange>> written) {
  const std::vector<std::string> names = prepare_copies(from, to);
  thread_ = std::jthread([this, from, to, names, written = std::move(written)]() mutable {
    try {
      for (const std::string& name : names) {
        auto& skip = written[name];
        std::sort(skip.begin(), skip.end(),
                  [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
        copy_bytes(from / name, to / name, skip, [this] {
          stop_if_interrupted();
          if (stop_) throw Interrupted("restoring: stopped");
        });
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  });
}

void Copying::finish() {
  thread_.join();
  if (error_) std::rethrow_exception(error_);
}

}  // namespace niah::models
