#include "harness/plan/journal.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "reports/journal_reader.h"

namespace niah {

Journal::Journal(const std::filesystem::path& path) : file_(path) {
  const reports::JournalEnd end = reports::read_records(path, [&](const reports::Record& record) {
    // What failed for want of memory or a server may succeed now: it is asked again, once a run.
    if (!reports::is_asked_again(record.outcome)) remember(record);
  });
  resumed_ = end.records;
  torn_ = end.torn;
  if (end.torn) torn_at_ = end.valid_bytes;
}

void Journal::remember(const reports::Record& record) {
  done_.insert_or_assign(Key{record.variant, record.kind, record.task, record.length, record.index},
                         Done{record.scored(), record.scored() && record.score >= 1});
}

std::optional<Journal::Done> Journal::find(const std::string& variant, const std::string& kind,
                                           const std::string& task, std::int64_t length,
                                           std::int64_t index) const {
  const std::lock_guard lock(lock_);
  const auto found = done_.find(Key{variant, kind, task, length, index});
  return found == done_.end() ? std::nullopt : std::optional(found->second);
}

bool Journal::has(const std::string& variant, const std::string& kind, const std::string& task,
                  std::int64_t length, std::int64_t index) const {
  return find(variant, kind, task, length, index).has_value();
}

void Journal::repair() {
  if (torn_at_) file_.truncate(*std::exchange(torn_at_, std::nullopt));
}

void Journal::append(const reports::Record& record) {
  const std::lock_guard lock(lock_);
  repair();
  file_.append(nlohmann::json(record).dump() + "\n");
  remember(record);
}

}  // namespace niah
