// What kind of thing is at a path, without exceptions.
#pragma once

#include <filesystem>
#include <system_error>

namespace niah {

/// Whether something exists at `path`. False also when the system refuses to look: links in a
/// cycle, a folder without permission. Opening the path says why.
inline bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Whether something of that name exists, dangling links included. What is listed but cannot be
/// opened is an error; it must not be treated as absent.
inline bool is_listed(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

/// Whether `path` is a folder, or a link to one; false also when the system refuses to look.
inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace niah
