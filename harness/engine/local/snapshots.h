// Copies of a reader's state to come back to.
#pragma once

#include <cstdint>
#include <map>

#include "harness/engine/local/prefix_schedule.h"
#include "models/decode/prefix_reader.h"

namespace niah {

/// The snapshots of one reader, within a budget of bytes. What was dropped is read again, in the
/// same pieces.
class Snapshots {
 public:
  /// `reader` outlives it, and has read nothing yet.
  Snapshots(models::PrefixReader& reader, std::int64_t budget);

  /// Rewinds to where `prompt` goes on, or to the last snapshot before it that is still there; says
  /// where.
  std::int64_t go_back(const ScheduledPrompt& prompt);
  /// Takes one where the reader stands. Beyond the budget the earliest go first: they are come back
  /// to last.
  void take();

 private:
  models::PrefixReader* reader_;
  std::int64_t budget_;
  std::map<std::int64_t, models::PrefixReader::Snapshot> by_position_;
};

}  // namespace niah
