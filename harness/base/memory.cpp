#include "harness/base/memory.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

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

/// The value after `name` in a file of "name value" lines.
std::int64_t read_stat(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  for (std::int64_t value = 0; file >> word >> value;)
    if (word == name) return value;
  return 0;
}

/// Bytes that a control group has left. Its cached file pages can be evicted, so they count as
/// free.
std::optional<std::int64_t> group_leaves(const fs::path& limit, const fs::path& used,
                                         const fs::path& stat, std::string_view cached) {
  const auto most = read_number(limit), now = read_number(used);
  if (!most || !now) return std::nullopt;
  return std::max<std::int64_t>(0, *most - *now + read_stat(stat, cached));
}

/// The path of this process's group below a mount: the group of a controller in version 1
/// ("4:memory:/a/b"), or the only group in version 2 ("0::/a/b", `controller` empty).
fs::path own_group(const fs::path& proc, std::string_view controller) {
  std::ifstream file(proc / "self" / "cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string list = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool is_it =
        controller.empty() ? list == ",," : list.find(fmt::format(",{},", controller)) != list.npos;
    if (is_it) return fs::path(line.substr(second + 1)).relative_path();
  }
  return {};
}

/// Calls `look` with the group's folder and with each above it, up to the mount: a limit at any
/// level applies. Inside a container the path may be the host's, so missing folders are ignored.
template <typename Look>
void for_each_group(const fs::path& mount, const fs::path& group, const Look& look) {
  for (fs::path at = group; !at.empty(); at = at.parent_path()) look(mount / at);
  look(mount);
}

void take_smaller(std::optional<std::int64_t>& least, std::optional<std::int64_t> other) {
  if (other) least = least ? std::min(*least, *other) : *other;
}

/// What one of the process's own limits leaves, with `used` bytes of it in use.
std::optional<std::int64_t> limit_leaves(int resource, std::optional<std::int64_t> used) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY || !used)
    return std::nullopt;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - *used);
}

/// Processors that a group's CPU quota allows, rounded up: "50000 100000" is a half, so one.
std::optional<std::int64_t> processors_of(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(quota / period)));
}

/// A group's quota in version 2: "max 100000" or "50000 100000".
std::optional<std::int64_t> quota_of(const fs::path& file) {
  std::ifstream in(file);
  double quota = 0, period = 0;
  return in >> quota >> period ? processors_of(quota, period) : std::nullopt;
}

}  // namespace

std::int64_t resident_memory() { return read_field("/proc/self/status", "VmRSS:").value_or(0); }

std::optional<std::int64_t> available_memory(const fs::path& proc, const fs::path& cgroup) {
  std::optional<std::int64_t> least = read_field(proc / "meminfo", "MemAvailable:");
  for_each_group(cgroup, own_group(proc, ""), [&](const fs::path& group) {
    take_smaller(least, group_leaves(group / "memory.max", group / "memory.current",
                                     group / "memory.stat", "inactive_file"));
  });
  for_each_group(cgroup / "memory", own_group(proc, "memory"), [&](const fs::path& group) {
    take_smaller(least,
                 group_leaves(group / "memory.limit_in_bytes", group / "memory.usage_in_bytes",
                              group / "memory.stat", "total_inactive_file"));
  });
  const fs::path status = proc / "self" / "status";
  take_smaller(least, limit_leaves(RLIMIT_AS, read_field(status, "VmSize:")));
  take_smaller(least, limit_leaves(RLIMIT_DATA, read_field(status, "VmData:")));
  return least;
}

std::int64_t available_processors(const fs::path& proc, const fs::path& cgroup) {
  std::optional<std::int64_t> least = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t may_run_on;
  if (::sched_getaffinity(0, sizeof may_run_on, &may_run_on) == 0)
    take_smaller(least, CPU_COUNT(&may_run_on));
  for_each_group(cgroup, own_group(proc, ""),
                 [&](const fs::path& group) { take_smaller(least, quota_of(group / "cpu.max")); });
  for_each_group(cgroup / "cpu", own_group(proc, "cpu"), [&](const fs::path& group) {
    const auto quota = read_number(group / "cpu.cfs_quota_us");
    const auto period = read_number(group / "cpu.cfs_period_us");
    if (quota && period)
      take_smaller(least, processors_of(static_cast<double>(*quota), static_cast<double>(*period)));
  });
  return std::max<std::int64_t>(1, *least);
}

void release_pages(const void* data, std::size_t bytes) {
  // madvise drops whole pages. A page at either end may hold a neighbour's data, which then costs a
  // page fault, no more.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(data) + bytes;
  if (bytes > 0) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void return_large_blocks() { ::mallopt(M_MMAP_THRESHOLD, 1 << 20); }

}  // namespace niah
