#include "harness/engine/local/work_stealing_schedule.h"

#include <algorithm>
#include <utility>

namespace niah {

WorkStealingSchedule::WorkStealingSchedule(const std::vector<PromptIds>& prompts,
                                           std::vector<ScheduledPrompt> schedule, ReadCost cost)
    : schedule_(std::move(schedule)), cost_(std::move(cost)) {
  for (const ScheduledPrompt& scheduled : schedule_) {
    sizes_.push_back(static_cast<std::int64_t>(prompts.at(scheduled.prompt).size()));
    costs_.push_back(cost_(scheduled.resume, sizes_.back()));
  }
}

std::size_t WorkStealingSchedule::join() {
  const std::lock_guard guard(lock_);
  ranges_.push_back({0, ranges_.empty() ? schedule_.size() : 0, std::nullopt});
  return ranges_.size() - 1;
}

/// How many tokens of turn `index`'s prompt a reader has whose last turn was `last`. None when that
/// turn comes later: a reader keeps no snapshots to go back in the schedule.
std::int64_t WorkStealingSchedule::known(std::optional<std::size_t> last, std::size_t index) const {
  if (!last || *last >= index) return 0;
  std::int64_t shared = schedule_[index].resume;
  for (std::size_t i = *last + 1; i < index; ++i) shared = std::min(shared, schedule_[i].resume);
  return shared;
}

/// The cut with which two threads, the one that takes the end of a range and the one that keeps its
/// beginning, finish soonest.
std::optional<WorkStealingSchedule::Cut> WorkStealingSchedule::find_cut(
    std::optional<std::size_t> last) const {
  constexpr double kWorthwhile = 0.95;
  std::optional<Cut> best;
  double most_left = 0;
  for (std::size_t of = 0; of < ranges_.size(); ++of) {
    const Range& range = ranges_[of];
    if (range.at == range.end) continue;
    if (!range.reading) return Cut{of, range.at};
    // Assume that half of the turn in progress has been read.
    const double current = range.last ? costs_[*range.last] / 2 : 0;
    double kept = current;
    for (std::size_t i = range.at; i < range.end; ++i) kept += costs_[i];
    const double all = kept;
    if (all <= most_left) continue;
    double taken = 0, soonest = kWorthwhile * all;
    for (std::size_t at = range.end; at-- > range.at;) {
      kept -= costs_[at];
      const double entry = cost_(known(last, at), sizes_[at]), twice = entry - costs_[at];
      const double through = std::max(kept, taken + entry);
      taken += costs_[at];
      // Reading a prefix a second time must save enough to be worth it.
      if (through >= soonest || all - through < twice / 2) continue;
      soonest = through;
      best = Cut{of, at};
      most_left = all;
    }
  }
  return best;
}

std::optional<ScheduledPrompt> WorkStealingSchedule::next(std::size_t worker) {
  const std::lock_guard guard(lock_);
  Range& own = ranges_[worker];
  const bool goes_on = own.at < own.end;
  if (!goes_on && !cancelled_)
    if (const auto cut = find_cut(own.last)) {
      Range& other = ranges_[cut->of];
      own.at = cut->at;
      own.end = other.end;
      other.end = cut->at;
    }
  if (cancelled_ || own.at == own.end) {
    own.reading = false;
    return std::nullopt;
  }
  const std::size_t index = own.at++;
  const std::int64_t resume =
      goes_on && own.last ? schedule_[index].resume : known(own.last, index);
  own.last = index;
  return enter_schedule(schedule_, index, resume);
}

void WorkStealingSchedule::give_up(std::size_t worker) {
  const std::lock_guard guard(lock_);
  Range& own = ranges_[worker];
  own.at = *own.last;
  own.reading = false;
  closed_ = true;
}

void WorkStealingSchedule::cancel() {
  const std::lock_guard guard(lock_);
  cancelled_ = true;
}

bool WorkStealingSchedule::has_work() const {
  const std::lock_guard guard(lock_);
  if (closed_ || cancelled_) return false;
  return ranges_.empty() ? !schedule_.empty() : find_cut(std::nullopt).has_value();
}

std::vector<std::size_t> WorkStealingSchedule::unread() const {
  const std::lock_guard guard(lock_);
  std::vector<std::size_t> prompts;
  for (const Range& range : ranges_)
    for (std::size_t i = range.at; i < range.end; ++i) prompts.push_back(schedule_[i].prompt);
  return prompts;
}

}  // namespace niah
