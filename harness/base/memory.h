// Memory and processors of this machine that this process may use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace niah {

/// Bytes of this process that are in memory now, mapped files included.
std::int64_t resident_memory();

/// Bytes that this process may still take before the machine, a control group that it is in
/// (versions 1 and 2, nested), or its own limits (RLIMIT_AS, RLIMIT_DATA) have none left. `proc`
/// and `cgroup` are where the kernel shows its files. Nullopt when nothing says so.
std::optional<std::int64_t> available_memory(
    const std::filesystem::path& proc = "/proc",
    const std::filesystem::path& cgroup = "/sys/fs/cgroup");

/// Processors that this process may keep busy: those that it may run on (affinity), or the share of
/// time that its control groups give it (versions 1 and 2, nested), rounded up. At least 1.
std::int64_t available_processors(const std::filesystem::path& proc = "/proc",
                                  const std::filesystem::path& cgroup = "/sys/fs/cgroup");

/// Takes a part of a mapped, read-only file out of memory; it is read again when it is asked for.
void release_pages(const void* data, std::size_t bytes);

/// From now on freed blocks of a megabyte and more go back to the system at once, instead of
/// staying with a heap that grows around them. For work on one large tensor after the other; it
/// would slow a model down, which takes and frees such blocks all the time.
void return_large_blocks();

}  // namespace niah
