#include "harness/base/memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

namespace niah {
namespace {

namespace fs = std::filesystem;

/// "Name:   123 kB" of a file in /proc, in bytes.
std::optional<std::int64_t> read_field(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string word; file >> word;)
    if (word == name) {
      std::int64_t kilobytes = 0;
      if (file >> kilobytes) return kilobytes * 1024;
    }
  return std::nullopt;
}

/// A file that holds one number; nullopt for "max" and for no file.
std::optional<std::int64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// The value behind `name` in a file of "name value" lines.
std::int64_t read_stat(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  for (std::int64_t value = 0; file >> word >> value;)
    if (word == name) return value;
  return 0;
}

/// What a control group leaves. File pages that it has cached give way, so they count as free.
std::optional<std::int64_t> group_leaves(const fs::path& limit, const fs::path& used,
                                         const fs::path& stat, std::string_view cached) {
  const auto most = read_number(limit), now = read_number(used);
  if (!most || !now) return std::nullopt;
  return std::max<std::int64_t>(0, *most - *now + read_stat(stat, cached));
}

/// The path of this process' group below the mount: "0::/user.slice/…" in version 2.
std::string own_group(const fs::path& proc) {
  std::ifstream file(proc / "self" / "cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return "";
}

void take_smaller(std::optional<std::int64_t>& least, std::optional<std::int64_t> other) {
  if (other) least = least ? std::min(*least, *other) : *other;
}

}  // namespace

std::int64_t resident_memory() { return read_field("/proc/self/status", "VmRSS:").value_or(0); }

std::optional<std::int64_t> available_memory(const fs::path& proc, const fs::path& cgroup) {
  std::optional<std::int64_t> least = read_field(proc / "meminfo", "MemAvailable:");
  for (fs::path group = cgroup / own_group(proc);; group = group.parent_path()) {
    take_smaller(least, group_leaves(group / "memory.max", group / "memory.current",
                                     group / "memory.stat", "inactive_file"));
    if (group == cgroup || group.string().size() <= cgroup.string().size()) break;
  }
  const fs::path v1 = cgroup / "memory";
  take_smaller(least, group_leaves(v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes",
                                   v1 / "memory.stat", "total_inactive_file"));
  return least;
}

void release_pages(const void* data, std::size_t bytes) {
  // Only whole pages: a page at either end may hold a neighbour's data, which costs a fault only.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(data) + bytes;
  if (bytes > 0) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void return_large_blocks() { ::mallopt(M_MMAP_THRESHOLD, 1 << 20); }

}  // namespace niah
