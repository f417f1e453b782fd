// Whatever answers requests: models on this machine, or a server. An engine knows nothing of tasks,
// journals or reports; resuming, ending a cell early, shards, a second try and progress are the
// run's, which is the same for all engines.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "harness/engine/answer.h"
#include "harness/engine/request.h"

namespace niah {

/// What an engine can do, and how it is best asked.
struct Capabilities {
  bool takes_token_ids = true;     ///< else it is given the text, and cuts it into tokens itself
  bool gives_log_probs = true;     ///< of expected answers
  bool shares_prefixes = false;    ///< prompts of one list that begin alike cost less together
  bool is_deterministic = true;    ///< the same request gets the same answer
  bool uses_own_memory = true;     ///< of this process: it may run out of it
  std::int64_t lists_at_once = 1;  ///< that are worth handing over; one more may wait for another
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Capabilities capabilities() const = 0;

  /// Asks what is in `list`, in any order, and gives every answer to `sink` as soon as it is known:
  /// exactly one for each request and variant, be it a Failure, unless the list is stopped or this
  /// throws. Returns when all are given. May be called from several threads at once. Throws
  /// Interrupted, what `sink` throws, and errors that no other request would be spared.
  virtual void answer(RequestList list, const AnswerSink& sink) = 0;

  /// For a thread that has no list of its own left: it may be used for those of other threads,
  /// until `until` is requested. What goes wrong is thrown by the answer() that it helped.
  virtual void help(const std::stop_token& until) { static_cast<void>(until); }

  /// What it is doing right now, in a few words for a progress line ("12 in flight, 8300
  /// tokens/s"); empty where there is nothing to add. May be called from any thread.
  virtual std::string activity() const { return {}; }
};

}  // namespace niah
