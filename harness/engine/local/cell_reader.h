// How one thread reads a list: prompts in the order of the schedule, each asked of every variant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "harness/engine/answer.h"
#include "harness/engine/local/batched_decode.h"
#include "harness/engine/local/decode_session.h"
#include "harness/engine/local/snapshots.h"
#include "harness/engine/local/work_stealing_schedule.h"
#include "harness/engine/request.h"
#include "models/decode/prefix_reader.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

/// How the local engine computes.
struct LocalSettings {
  std::int64_t chunk = 512;          ///< tokens of one prefill pass
  bool share_prefixes = true;        ///< else every prompt is read from its start
  std::int64_t snapshot_memory = 0;  ///< bytes of one thread's snapshots
  std::int64_t answer_memory = 0;    ///< bytes that a thread may spend on long answers
  std::int64_t workers = 1;          ///< threads that read at once, on one core each
  std::int64_t threads = 1;          ///< that a worker computes with when it reads alone
};

/// A list while threads read it. Each prompt is read by one thread at a time.
class OpenList {
 public:
  /// `models`: the variants of the list's group; `cost`: of reading for all of them.
  OpenList(RequestList list, std::vector<std::shared_ptr<models::CausalLM>> models, ReadCost cost,
           const LocalSettings& settings, const AnswerSink& sink);
  OpenList(const OpenList&) = delete;
  OpenList& operator=(const OpenList&) = delete;

  WorkStealingSchedule& schedule() { return *schedule_; }
  const std::vector<std::shared_ptr<models::CausalLM>>& models() const { return models_; }
  const Request& request(std::size_t index) const { return list_.requests[index]; }
  const PromptIds& prompt(std::size_t index) const { return prompts_[index]; }
  /// Tokens of a prompt and all that may follow it.
  std::int64_t longest() const { return longest_; }

  /// Whether this variant is asked and has not answered yet.
  bool is_open(AnswerId id) const { return is_open_[id.request][id.variant]; }
  /// Passes an answer to the sink.
  void give(const Answer& answer);
  /// Gives an out-of-memory failure for every prompt that no thread read.
  void fail_unread();

 private:
  RequestList list_;
  std::vector<PromptIds> prompts_;
  std::vector<std::shared_ptr<models::CausalLM>> models_;
  std::vector<std::vector<bool>> is_open_;  ///< by request and variant
  std::int64_t longest_ = 0;
  std::unique_ptr<WorkStealingSchedule> schedule_;
  const AnswerSink* sink_;
};

/// Reads what the schedule of a list gives one thread.
class CellReader {
 public:
  /// All arguments must outlive it.
  CellReader(OpenList& list, const LocalSettings& settings, const models::Tokenizer& tokenizer);
  CellReader(const CellReader&) = delete;
  CellReader& operator=(const CellReader&) = delete;

  /// Reads `prompt`, and then whatever the schedule gives `worker`. False when memory did not
  /// suffice for the last prompt; all other answers have been given when it returns.
  bool read(std::size_t worker, std::optional<ScheduledPrompt> prompt);

 private:
  /// What it took to read the part of a prompt that all variants share.
  struct Shared {
    std::int64_t tokens = 0;
    double seconds = 0;
  };

  Shared read_shared(const ScheduledPrompt& prompt);
  void ask_all(std::size_t request, Shared shared);

  OpenList* list_;
  const models::Tokenizer* tokenizer_;
  std::int64_t chunk_;
  models::PrefixReader reader_;
  BatchedDecode batch_;
  Snapshots snapshots_;
};

}  // namespace niah
