// Standard output, where data must arrive, and standard error, where messages may be lost.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace niah {

/// Writes to standard error at once. A stream that is full, closed or gone is not an error:
/// progress and messages never end a run.
void write_stderr(std::string_view text);

/// As fmt::print(stderr, ...), but ignores errors of the stream.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  write_stderr(fmt::format(format, std::forward<Args>(args)...));
}

/// Writes data to standard output, buffered. Throws DataError when the stream fails.
void write_stdout(std::string_view data);

/// As fmt::print, with write_stdout.
template <typename... Args>
void print_out(fmt::format_string<Args...> format, Args&&... args) {
  write_stdout(fmt::format(format, std::forward<Args>(args)...));
}

/// Hands everything written to standard output so far to the system. Throws DataError when a byte
/// of it is lost.
void flush_stdout();

}  // namespace niah
