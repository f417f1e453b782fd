// Reading a journal: one record per line, appended by a program that may have been killed at any
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// Longest line that can be a record; a longer one means a damaged or hostile file.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{256} * 1024;

/// What was found in a journal.
struct JournalEnd {
  std::int64_t records = 0;        ///< complete lines
  bool torn = false;               ///< the last line was incomplete and was dropped
  std::uintmax_t valid_bytes = 0;  ///< size of the file without an incomplete last line
};

/// Reads the journal line by line, in bounded memory, and passes each record to `visit`. A last
/// line without a newline is what a crash leaves; it is dropped and reported. Throws DataError
/// naming file and line number for any other bad line.
JournalEnd read_records(const std::filesystem::path& path,
                        const std::function<void(const Record&)>& visit);

/// The same for any append-only text file: `what` names it in errors ("journal"), and a line longer
/// than `most_bytes` is an error. `visit` gets each line and its number, from 1.
JournalEnd read_lines(const std::filesystem::path& path, std::string_view what,
                      std::size_t most_bytes,
                      const std::function<void(std::string_view, std::int64_t)>& visit);

}  // namespace niah::reports
