// Copies of a reader's state to rewind to.
#pragma once

#include <cstdint>
#include <map>

#include "harness/engine/local/prefix_schedule.h"
#include "models/decode/prefix_reader.h"

namespace niah {

/// The snapshots of one reader, within a budget of bytes. A prefix whose snapshot was dropped is
/// read again, in the same pieces.
class Snapshots {
 public:
  /// `reader` must outlive it and have read nothing yet.
  Snapshots(models::PrefixReader& reader, std::int64_t budget);

  /// Rewinds the reader to `prompt.resume`, or to the latest snapshot before that which still
  /// exists. Returns the position.
  std::int64_t go_back(const ScheduledPrompt& prompt);
  /// Takes a snapshot at the reader's position. Beyond the budget the earliest are dropped first,
  /// because they are needed last.
  void take();

 private:
  models::PrefixReader* reader_;
  std::int64_t budget_;
  std::map<std::int64_t, models::PrefixReader::Snapshot> by_position_;
};

}  // namespace niah
