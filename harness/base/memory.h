// Memory and processors of this machine that this process may use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace niah {

/// Bytes of this process that are in memory now, mapped files included.
std::int64_t resident_memory();

/// Bytes that this process may still allocate: the least of what is left by the machine, by its
/// control groups (versions 1 and 2, nested) and by its own limits (RLIMIT_AS, RLIMIT_DATA). `proc`
/// and `cgroup` are where the kernel's files are mounted. Nullopt when none of them is known.
std::optional<std::int64_t> available_memory(
    const std::filesystem::path& proc = "/proc",
    const std::filesystem::path& cgroup = "/sys/fs/cgroup");

/// Processors that this process may keep busy: those that it may run on (affinity), or the share of
/// time that its control groups give it (versions 1 and 2, nested), rounded up. At least 1.
std::int64_t available_processors(const std::filesystem::path& proc = "/proc",
                                  const std::filesystem::path& cgroup = "/sys/fs/cgroup");

/// Drops a part of a mapped, read-only file from memory; the next access reads it again.
void release_pages(const void* data, std::size_t bytes);

/// From now on, freed blocks of a megabyte or more go back to the system at once instead of staying
/// in the heap. For work on one large tensor after another; it would slow down a model, which
/// allocates and frees such blocks all the time.
void return_large_blocks();

}  // namespace niah
