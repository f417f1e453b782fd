// The run's record of finished samples: one fsynced line each, so that a killed run loses at most
// those in flight.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

#include "harness/base/files.h"
#include "reports/record.h"

namespace niah {

/// Appends records, and knows which samples already have one. Safe to use from several threads.
class Journal {
 public:
  /// Opens or creates the journal without changing it: a torn last line is ignored, and stays until
  /// repair() or the first append. Throws DataError for any other bad line, or when another process
  /// writes the same journal.
  explicit Journal(const std::filesystem::path& path);

  /// How a sample ended.
  struct Done {
    bool scored = false, hit = false;
  };
  /// How a sample of a variant ended; nullopt when it is still to be asked. That includes a sample
  /// whose outcome in an earlier run is one of reports::is_asked_again.
  std::optional<Done> find(const std::string& variant, const std::string& kind,
                           const std::string& task, std::int64_t length, std::int64_t index) const;
  /// Whether this sample of this variant is done.
  bool has(const std::string& variant, const std::string& kind, const std::string& task,
           std::int64_t length, std::int64_t index) const;
  /// Removes a torn last line from the file. Throws DataError.
  void repair();
  /// Writes the record and waits until it is on the disk.
  void append(const reports::Record& record);
  /// Records found when the journal was opened.
  std::int64_t resumed() const { return resumed_; }
  /// Whether a torn line was dropped.
  bool torn() const { return torn_; }

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::int64_t, std::int64_t>;

  void remember(const reports::Record& record);

  mutable std::mutex lock_;
  AppendFile file_;
  std::map<Key, Done> done_;
  std::int64_t resumed_ = 0;
  bool torn_ = false;
  std::optional<std::uintmax_t> torn_at_;  ///< start of a torn line that is still in the file
};

}  // namespace niah
