#include "harness/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "harness/base/output.h"
#include "harness/base/text.h"

namespace niah {
namespace {

constexpr auto kTerminalInterval = std::chrono::milliseconds(200);
constexpr auto kPlainInterval = std::chrono::seconds(15);
// Below this share of the work, an estimate of the time left would be far off.
constexpr double kEarly = 0.01;
constexpr std::size_t kColumnsUnknown = 80;

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

void print_warning(const std::string& text) { say("warning: {}\n", single_line(text)); }

Progress::Progress(std::string title, double total, bool quiet)
    : title_(std::move(title)),
      total_(std::max(total, 1e-9)),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::warn(const std::string& text) {
  const std::lock_guard lock(lock_);
  clear();
  print_warning(text);
}

Progress::~Progress() { clear(); }

double Progress::elapsed() const { return seconds_since(start_); }

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Progress::advance(double cost, const std::string& note) {
  const std::lock_guard lock(lock_);
  done_ += cost;
  if (quiet_) return;
  const auto now = Clock::now();
  const bool finished = done_ >= total_ * (1 - 1e-9);
  const auto interval = terminal_ ? Clock::duration(kTerminalInterval) : kPlainInterval;
  if (!finished && now - last_ < interval) return;
  last_ = now;
  show(note);
}

void Progress::show(const std::string& note) {
  const double part = std::min(1.0, done_ / total_);
  const double spent = elapsed();
  std::string left = "took " + format_duration(spent);
  if (part < kEarly)
    left = "starting";
  else if (part < 1)
    left = "about " + format_duration(spent / part * (1 - part)) + " left";
  std::string line = fmt::format("{} {:3.0f} %  {}  {}", title_, part * 100, left, note);
  if (!terminal_) {
    say("{}\n", line);
    return;
  }
  const std::size_t width = columns_of(STDERR_FILENO).value_or(kColumnsUnknown);
  if (line.size() >= width) line.resize(width - 1);
  write_stderr("\r\x1b[K" + line);
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  write_stderr("\r\x1b[K");
  shown_ = false;
}

}  // namespace niah
