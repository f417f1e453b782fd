#include "harness/run/shared_schedule.h"

#include <algorithm>
#include <utility>

namespace niah {

SharedSchedule::SharedSchedule(const std::vector<PromptIds>& prompts, std::vector<Visit> visits,
                               ReadCost cost)
    : visits_(std::move(visits)), cost_(std::move(cost)) {
  for (const Visit& visit : visits_) {
    sizes_.push_back(static_cast<std::int64_t>(prompts.at(visit.prompt).size()));
    costs_.push_back(cost_(visit.resume, sizes_.back()));
  }
}

std::size_t SharedSchedule::join() {
  const std::lock_guard guard(lock_);
  stretches_.push_back({0, stretches_.empty() ? visits_.size() : 0, std::nullopt});
  return stretches_.size() - 1;
}

/// How much of visit `visit`'s prompt a reader knows that has read `last` of the same schedule. Of
/// what lies behind it keeps no marks.
std::int64_t SharedSchedule::known(std::optional<std::size_t> last, std::size_t visit) const {
  if (!last || *last >= visit) return 0;
  std::int64_t shared = visits_[visit].resume;
  for (std::size_t i = *last + 1; i < visit; ++i) shared = std::min(shared, visits_[i].resume);
  return shared;
}

/// The cut after which the thread that takes the end of a stretch and the one that keeps its
/// beginning are through soonest.
std::optional<SharedSchedule::Cut> SharedSchedule::find_cut(std::optional<std::size_t> last) const {
  constexpr double kWorthwhile = 0.95;
  std::optional<Cut> best;
  double most_left = 0;
  for (std::size_t of = 0; of < stretches_.size(); ++of) {
    const Stretch& stretch = stretches_[of];
    if (stretch.at == stretch.end) continue;
    if (!stretch.reading) return Cut{of, stretch.at};
    // Half of what is being read is behind it, as far as anybody knows.
    const double current = stretch.last ? costs_[*stretch.last] / 2 : 0;
    double kept = current;
    for (std::size_t i = stretch.at; i < stretch.end; ++i) kept += costs_[i];
    const double all = kept;
    if (all <= most_left) continue;
    double taken = 0, soonest = kWorthwhile * all;
    for (std::size_t at = stretch.end; at-- > stretch.at;) {
      kept -= costs_[at];
      const double entry = cost_(known(last, at), sizes_[at]), twice = entry - costs_[at];
      const double through = std::max(kept, taken + entry);
      taken += costs_[at];
      // Reading twice what an idle thread could leave alone has to bring something.
      if (through >= soonest || all - through < twice / 2) continue;
      soonest = through;
      best = Cut{of, at};
      most_left = all;
    }
  }
  return best;
}

std::optional<Visit> SharedSchedule::next(std::size_t hand) {
  const std::lock_guard guard(lock_);
  Stretch& own = stretches_[hand];
  const bool goes_on = own.at < own.end;
  if (!goes_on && !cancelled_)
    if (const auto cut = find_cut(own.last)) {
      Stretch& other = stretches_[cut->of];
      own.at = cut->at;
      own.end = other.end;
      other.end = cut->at;
    }
  if (cancelled_ || own.at == own.end) {
    own.reading = false;
    return std::nullopt;
  }
  const std::size_t index = own.at++;
  const std::int64_t resume = goes_on && own.last ? visits_[index].resume : known(own.last, index);
  own.last = index;
  return enter_schedule(visits_, index, resume);
}

void SharedSchedule::give_up(std::size_t hand) {
  const std::lock_guard guard(lock_);
  Stretch& own = stretches_[hand];
  own.at = *own.last;
  own.reading = false;
  closed_ = true;
}

void SharedSchedule::cancel() {
  const std::lock_guard guard(lock_);
  cancelled_ = true;
}

bool SharedSchedule::has_work() const {
  const std::lock_guard guard(lock_);
  if (closed_ || cancelled_) return false;
  return stretches_.empty() ? !visits_.empty() : find_cut(std::nullopt).has_value();
}

std::size_t SharedSchedule::hands() const {
  const std::lock_guard guard(lock_);
  return stretches_.size();
}

std::vector<std::size_t> SharedSchedule::unread() const {
  const std::lock_guard guard(lock_);
  std::vector<std::size_t> prompts;
  for (const Stretch& stretch : stretches_)
    for (std::size_t i = stretch.at; i < stretch.end; ++i) prompts.push_back(visits_[i].prompt);
  return prompts;
}

}  // namespace niah
