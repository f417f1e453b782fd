// Reading a journal: one record a line, appended by a program that may have been killed at any
// moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// Longest line that can be a record; a longer one is a damaged or hostile file.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{256} * 1024;

/// What a journal turned out to hold.
struct JournalEnd {
  std::int64_t records = 0;
  bool torn = false;               ///< the last line had no end and was dropped
  std::uintmax_t valid_bytes = 0;  ///< size of the file without the torn line
};

/// Reads the journal line by line, in bounded memory, and gives each record to `visit`. A last line
/// without its newline is what a crash leaves: it is dropped and reported. Throws DataError for any
/// other bad line, naming the file and the line's number.
JournalEnd read_records(const std::filesystem::path& path,
                        const std::function<void(const Record&)>& visit);

}  // namespace niah::reports
