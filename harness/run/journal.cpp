#include "harness/run/journal.h"

#include <nlohmann/json.hpp>

#include "reports/journal.h"

namespace niah {

Journal::Journal(const std::filesystem::path& path) : file_(path) {
  const reports::JournalEnd end = reports::read_records(path, [&](const reports::Record& record) {
    done_.emplace(record.variant, record.kind, record.task, record.length, record.index);
  });
  resumed_ = end.records;
  torn_ = end.torn;
  if (end.torn) file_.truncate(end.valid_bytes);
}

bool Journal::has(const std::string& variant, const std::string& kind, const std::string& task,
                  std::int64_t length, std::int64_t index) const {
  const std::lock_guard lock(lock_);
  return done_.contains(Key{variant, kind, task, length, index});
}

void Journal::append(const reports::Record& record) {
  const std::lock_guard lock(lock_);
  file_.append(nlohmann::json(record).dump() + "\n");
  done_.emplace(record.variant, record.kind, record.task, record.length, record.index);
}

}  // namespace niah
