// The interface of whatever answers requests: models on this machine, or a server. An engine knows
// nothing of tasks, journals or reports. Resuming, ending a cell early, shards, second tries and
// progress are done by the run, in the same way for all engines.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "harness/engine/answer.h"
#include "harness/engine/request.h"

namespace niah {

/// What an engine can do, and how it is best asked.
struct Capabilities {
  bool takes_token_ids = true;     ///< else it gets text and tokenizes that itself
  bool gives_log_probs = true;     ///< of expected answers
  bool shares_prefixes = false;    ///< prompts of a list with a common prefix cost less
  bool is_deterministic = true;    ///< the same request gets the same answer
  bool uses_own_memory = true;     ///< computes in this process, which may run out of memory
  std::int64_t lists_at_once = 1;  ///< lists worth asking in parallel; any more may wait
};

/// Answers requests to its variants, which are in groups.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Capabilities capabilities() const = 0;

  /// Answers the requests of `list`, in any order, and passes every answer to `sink` as soon as it
  /// is known: exactly one for each request and variant, even if it is a Failure, unless the list
  /// is stopped or this throws. Returns after the last one. May be called from several threads at
  /// once. Throws Interrupted, what `sink` throws, and errors that every other request would meet,
  /// too.
  virtual void answer(RequestList list, const AnswerSink& sink) = 0;

  /// Lends a thread that has no list left to the answer() calls of other threads, until a stop is
  /// requested through `until`. Errors are thrown by the answer() call that it helped.
  virtual void help(const std::stop_token& until) { static_cast<void>(until); }

  /// What the engine is doing right now, in a few words for a progress line ("12 in flight, 8300
  /// tokens/s"); empty when there is nothing to add. May be called from any thread.
  virtual std::string activity() const { return {}; }
};

}  // namespace niah
