#include "harness/engine/local/snapshots.h"

#include <iterator>

namespace niah {

Snapshots::Snapshots(models::PrefixReader& reader, std::int64_t budget)
    : reader_(&reader), budget_(budget) {
  by_position_.emplace(0, reader.mark());
}

std::int64_t Snapshots::go_back(const ScheduledPrompt& prompt) {
  by_position_.erase(by_position_.upper_bound(prompt.resume), by_position_.end());
  const auto latest = std::prev(by_position_.end());
  const std::int64_t at = latest->first;
  reader_->rewind(latest->second);
  if (prompt.last_return && at == prompt.resume && at > 0) by_position_.erase(latest);
  return at;
}

void Snapshots::take() {
  const auto [added, is_new] = by_position_.emplace(reader_->position(), reader_->mark());
  const std::int64_t each = added->second.bytes();
  while (by_position_.size() > 2 && each * static_cast<std::int64_t>(by_position_.size()) > budget_)
    by_position_.erase(std::next(by_position_.begin()));
}

}  // namespace niah
