// Standard output, where data must arrive, and standard error, where messages may be lost.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace niah {

/// How many columns the output on `descriptor` has: what the variable COLUMNS says, or else the
/// terminal. nullopt if it is no terminal.
std::optional<std::size_t> columns_of(int descriptor);

/// The text as it should be written to `descriptor`: on a terminal in lines of its width.
std::string laid_out(std::string text, int descriptor);

/// Writes to standard error at once. A stream that is full, closed or gone is not an error:
/// progress and messages never end a run.
void write_stderr(std::string_view text);

/// Writes a message to standard error, laid out for its terminal; errors of the stream are ignored.
void say_text(std::string text);

/// The same of a text that fmt formats.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_text(fmt::format(format, std::forward<Args>(args)...));
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
