#include "harness/base/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "harness/base/error.h"

namespace niah {
namespace {

// A signal handler can reach nothing but static storage.
volatile std::sig_atomic_t requested = 0;

void on_signal(int) { requested = 1; }

/// SIGBUS: a page of a mapped file could not be read. Nothing can be undone here, and nothing needs
/// to be: every finished sample is on disk.
void on_bus_error(int) {
  constexpr std::string_view kText =
      "niah: a file became shorter while it was read, or its disk could not read it (SIGBUS). "
      "Finished work is saved; check the checkpoint's files and run the same command again.\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(static_cast<int>(ExitCode::kNotMeasured));
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction now {};
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

/// Makes sure that descriptor `fd` is open. Standard output is opened read-only, so that writing
/// data to it fails instead of losing it.
void occupy(int fd) {
  if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) return;
  // open() gives the lowest free number, which is `fd`: the ones below it are taken.
  [[maybe_unused]] const int got = ::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

}  // namespace

void prepare_process() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) occupy(fd);
  handle(SIGPIPE, SIG_IGN, 0);
  handle(SIGXFSZ, SIG_IGN, 0);
  handle(SIGBUS, on_bus_error, static_cast<int>(SA_RESETHAND));
}

void install_interrupt_handler() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (!is_ignored(signal)) handle(signal, on_signal, static_cast<int>(SA_RESETHAND));
}

bool interrupt_requested() { return requested != 0; }

void stop_if_interrupted() {
  if (interrupt_requested()) throw Interrupted("interrupted");
}

}  // namespace niah
