// The haystacks of the reference programs: words of a corpus, or copies of one line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tasks/haystack/haystack_text.h"
#include "tasks/haystack/reference_text.h"
#include "tasks/protocol.h"
#include "tasks/task.h"

namespace niah::tasks {

/// What a program does with its corpus.
struct CorpusRules {
  std::string joint;     ///< between two files
  bool repeats = false;  ///< starts the corpus again when it ends; otherwise there is just no more
};

/// Text and lines for all cells of a reference protocol. Sizes are prepared while cells are
/// planned, by one thread; after that it is only read, by any number.
class ReferenceHaystack {
 public:
  ReferenceHaystack(const ProtocolSpec& spec, const TokenCounter& counter, CorpusRules rules);

  /// Makes `units` words or lines available for the task. Throws UsageError when the task needs a
  /// text and there is none.
  void prepare(const Task& task, std::int64_t units);

  /// The text; prepare() for a text task comes first.
  const ReferenceText& text() const { return *text_; }
  /// Words of the corpus itself, without repetition; prepare() comes first.
  std::int64_t corpus_words() const { return corpus_words_; }
  /// Lines of the repeated haystack.
  const HaystackText& lines() const { return lines_; }
  const TokenCounter& counter() const { return counter_; }

 private:
  void prepare_text(const Task& task, std::int64_t words);

  const ProtocolSpec spec_;
  TokenCounter counter_;
  CorpusRules rules_;
  std::shared_ptr<const ReferenceText> text_;
  std::int64_t corpus_words_ = 0;
  HaystackText lines_;
};

}  // namespace niah::tasks
