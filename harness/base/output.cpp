#include "harness/base/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "harness/base/descriptor.h"
#include "harness/base/error.h"

namespace niah {
namespace {

DataError lost_output() {
  return DataError(fmt::format("writing to standard output: {}",
                               errno != 0 ? system_reason() : "the stream is broken"));
}

}  // namespace

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

void write_stdout(std::string_view data) {
  errno = 0;
  if (std::fwrite(data.data(), 1, data.size(), stdout) != data.size()) throw lost_output();
}

void flush_stdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw lost_output();
}

}  // namespace niah
