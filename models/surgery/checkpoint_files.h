// Copying a checkpoint's folder, and writing into the copy.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/descriptor.h"
#include "harness/base/files.h"

namespace niah::models {

/// The file in a restored folder that records what was restored from where.
inline constexpr const char* kRestoreManifest = "restore.json";

/// Recreates the folder tree of `from` in `to`, dot files included, kRestoreManifest left out.
/// Files get their full length but no content. Returns their paths relative to `from`.
std::vector<std::string> prepare_copies(const std::filesystem::path& from,
                                        const std::filesystem::path& to);

/// An existing file in which byte ranges are overwritten.
class Patch {
 public:
  /// Throws DataError if the file cannot be opened, and so does write() if it cannot be written.
  explicit Patch(const std::filesystem::path& path);
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  [[noreturn]] void fail() const;
  std::filesystem::path path_;
  Descriptor fd_;
};

/// Copies a checkpoint's files on a thread, except the bytes that the caller writes.
class Copying {
 public:
  /// `written`: for each file name, the ranges to leave out. When this returns, all files exist in
  /// their full length.
  Copying(const std::filesystem::path& from, const std::filesystem::path& to,
          std::map<std::string, std::vector<ByteRange>> written);
  ~Copying() { stop_ = true; }  // if finish() was not called, the caller has failed
  Copying(const Copying&) = delete;
  Copying& operator=(const Copying&) = delete;

  /// Waits until everything is copied; rethrows an exception of the thread.
  void finish();

 private:
  std::atomic<bool> stop_ = false;
  std::exception_ptr error_;
  std::jthread thread_;
};

}  // namespace niah::models
