// What is at a path, asked without exceptions.
#pragma once

#include <filesystem>
#include <system_error>

namespace niah {

/// Whether there is something at `path`. False also where the system does not let one look: a link
/// that leads round in a circle, a folder that is closed to us. Opening it says why.
inline bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Whether a folder lists something of that name: as is_there, and a link that leads nowhere. What
/// is listed and cannot be opened is an error, not as if it had never been there.
inline bool is_listed(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

/// Whether `path` is a folder, or a link to one; false also where the system does not let one look.
inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace niah
