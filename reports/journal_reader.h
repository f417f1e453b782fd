// Reading a journal: one record a line, appended by a program that may have been killed at any
// moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "reports/record.h"

namespace niah::reports {

/// Longest line that can be a record; a longer one is a damaged or hostile file.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{256} * 1024;

/// What a journal turned out to hold.
struct JournalEnd {
  std::int64_t records = 0;        ///< whole lines
  bool torn = false;               ///< the last line had no end and was dropped
  std::uintmax_t valid_bytes = 0;  ///< size of the file without the torn line
};

/// Reads the journal line by line, in bounded memory, and gives each record to `visit`. A last line
/// without its newline is what a crash leaves: it is dropped and reported. Throws DataError for any
/// other bad line, naming the file and the line's number.
JournalEnd read_records(const std::filesystem::path& path,
                        const std::function<void(const Record&)>& visit);

/// The same for any file of lines that grows by appending: `what` names it in errors
/// ("journal"), no line is longer than `most_bytes`. `visit` gets each line and its number, from 1.
JournalEnd read_lines(const std::filesystem::path& path, std::string_view what,
                      std::size_t most_bytes,
                      const std::function<void(std::string_view, std::int64_t)>& visit);

}  // namespace niah::reports
