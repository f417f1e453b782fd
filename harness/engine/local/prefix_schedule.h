// The order in which to read a set of prompts so that no common prefix is read twice.
#pragma once

#include <cstdint>
#include <vector>

#include "harness/engine/request.h"

namespace niah {

/// One turn of a schedule: a prompt and how to read it.
struct ScheduledPrompt {
  std::size_t prompt = 0;    ///< which prompt
  std::int64_t resume = 0;   ///< position to go back to: a snapshot of an earlier turn, or 0
  bool last_return = false;  ///< no later turn resumes from the snapshot at `resume`
  /// Positions to take snapshots at on the way, ascending, > resume.
  std::vector<std::int64_t> snapshots{};
  std::int64_t tail = 0;  ///< where shared reading ends; the rest is the prompt's own
};

/// Orders `prompts` by longest common prefix, in units of `chunk` tokens: every prompt is cut at
/// multiples of `chunk` whatever it shares, so that the same pieces go through the model with
/// sharing on and off, and results agree to the bit. The last, incomplete piece (1 to `chunk`
/// tokens) is the tail. Where prompts diverge, the branch with most of them comes last, so that
/// prompts which leave one text at different depths need a single snapshot at a time. With `share`
/// false every prompt is read from the start, in the given order.
std::vector<ScheduledPrompt> schedule_prefixes(const std::vector<PromptIds>& prompts,
                                               std::int64_t chunk, bool share);

/// Tokens that a schedule reads, tails included.
std::int64_t scheduled_tokens(const std::vector<PromptIds>& prompts,
                              const std::vector<ScheduledPrompt>& schedule);

/// Turn `index` of a schedule for a reader that did not read the turns before it and has the first
/// `resume` tokens of the prompt. It takes more snapshots: also those that the earlier turns would
/// have left for later ones.
ScheduledPrompt enter_schedule(const std::vector<ScheduledPrompt>& schedule, std::size_t index,
                               std::int64_t resume);

/// The most snapshots that a schedule holds at once, position 0 not counted.
std::int64_t most_snapshots(const std::vector<ScheduledPrompt>& schedule);

}  // namespace niah
