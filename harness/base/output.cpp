#include "harness/base/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "harness/base/descriptor.h"
#include "harness/base/error.h"
#include "harness/base/text.h"

namespace niah {
namespace {

DataError lost_output() {
  return DataError(fmt::format("writing to standard output: {}",
                               errno != 0 ? system_reason() : "the stream is broken"));
}

}  // namespace

std::optional<std::size_t> columns_of(int descriptor) {
  constexpr long kFewest = 20, kMost = 1000;  // anything else is no width to lay text out for
  const char* variable = std::getenv("COLUMNS");
  const long said = variable == nullptr ? 0 : std::strtol(variable, nullptr, 10);
  if (said >= kFewest && said <= kMost) return static_cast<std::size_t>(said);
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= kFewest) return size.ws_col;
  return std::nullopt;
}

std::string laid_out(std::string text, int descriptor) {
  const auto columns = columns_of(descriptor);
  return columns && ::isatty(descriptor) != 0 ? fit_lines(text, *columns) : text;
}

void write_stderr(std::string_view text) {
  constexpr int kPatience = 1000;  // milliseconds for a reader that is slow to take it
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      if (::poll(&ready, 1, kPatience) > 0) continue;
    }
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void say_text(std::string text) { write_stderr(laid_out(std::move(text), STDERR_FILENO)); }

void write_stdout(std::string_view data) {
  errno = 0;
  if (std::fwrite(data.data(), 1, data.size(), stdout) != data.size()) throw lost_output();
}

void flush_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw lost_output();
}

}  // namespace niah
