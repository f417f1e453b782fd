// Models on this machine as an engine.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "harness/engine/engine.h"
#include "harness/engine/local/cell_reader.h"
#include "harness/engine/local/work_stealing_schedule.h"
#include "harness/engine/local/worker_pool.h"
#include "models/causal_lm.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

/// Variants of one model that read together.
struct LocalGroup {
  std::vector<std::shared_ptr<models::CausalLM>> models;
  ReadCost cost;  ///< of reading a text for all of them
};

/// Answers by computing: no common prefix of a list is read twice, threads without a list help
/// others, long answers are decoded several at a time. When memory does not suffice for a prompt,
/// next to what other threads read or at all, its answers are failures that are worth another try.
class LocalEngine : public Engine {
 public:
  /// `tokenizer` must outlive it.
  LocalEngine(std::vector<LocalGroup> groups, const LocalSettings& settings,
              const models::Tokenizer& tokenizer);

  Capabilities capabilities() const override;
  void answer(RequestList list, const AnswerSink& sink) override;
  void help(const std::stop_token& until) override;

 private:
  void read_along(OpenList& list) const;

  std::vector<LocalGroup> groups_;
  LocalSettings settings_;
  const models::Tokenizer* tokenizer_;
  WorkerPool pool_;
};

}  // namespace niah
