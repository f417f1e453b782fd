// What a sweep asks: its cells, made or read from files, and their samples as questions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/engine/prompt_format.h"
#include "harness/plan/question.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/protocol.h"

namespace niah {

/// A reasoning set of a sweep.
struct OpenedReasoning {
  ReasoningConfig config;
  std::shared_ptr<const tasks::ReasoningSet> set;
};

/// A cell or a reasoning set, which all variants are asked.
struct WorkItem {
  std::string label;                           ///< "S2@64K", "gsm8k"
  const tasks::Cell* cell = nullptr;           ///< null: a reasoning set
  const OpenedReasoning* reasoning = nullptr;  ///< null: a cell
  std::int64_t samples = 0;
  std::int64_t length = 0;  ///< nominal tokens; 0: those of a reasoning set, which are short
  /// "s2", or the reasoning set's name: as records have it.
  std::string task() const;
};

/// Whether a cell may end before all its samples are asked.
bool ends_early(const WorkItem& work, const SweepConfig& sweep);

/// Opens the tokenizer and makes the cells of a sweep. Throws what those throw.
class WorkList {
 public:
  explicit WorkList(const SweepConfig& sweep);

  /// The sweep; with sample files, protocol, tasks and lengths are those of the files.
  const SweepConfig& sweep() const { return sweep_; }
  const models::Tokenizer& tokenizer() const { return *tokenizer_; }
  /// The format of prompts.
  const PromptFormat& format() const { return *format_; }
  /// The haystack's name and hash, or those of the sample files.
  const std::string& haystack_id() const { return haystack_id_; }

  /// Name and content hash of each reasoning set, and how long its answers may be.
  std::vector<std::string> reasoning_ids() const;

  /// The reasoning sets, then the cells, short ones first: they show soonest what a run is about.
  std::vector<WorkItem> assignments() const;

  /// Nominal tokens of the longest cell; 0 where there are only reasoning sets.
  std::int64_t longest_length() const;

  /// Whether a sample is still to be asked.
  using Wanted = std::function<bool(const std::string& kind, const std::string& task,
                                    std::int64_t length, std::int64_t index)>;
  /// The wanted samples of an assignment, or all of them. This object must outlive them. Throws
  /// Interrupted.
  std::vector<Question> questions(
      const WorkItem& assignment, const Wanted& wanted = [](const auto&...) { return true; }) const;

  /// A warning when the shortest of an assignment's questions is far below its nominal length;
  /// empty when it is not.
  std::string short_warning(const WorkItem& assignment,
                            const std::vector<Question>& questions) const;

 private:
  std::int64_t nominal(const tasks::Cell& cell) const;
  void read_cells();
  void make_cells();

  SweepConfig sweep_;
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  std::unique_ptr<PromptFormat> format_;
  std::vector<std::unique_ptr<tasks::Cell>> cells_;
  std::vector<OpenedReasoning> reasoning_;
  std::string haystack_id_;
};

}  // namespace niah
