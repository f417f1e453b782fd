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

/// How a reference program uses its corpus.
struct CorpusRules {
  std::string joint;     ///< between two files
  bool repeats = false;  ///< starts the corpus again at its end; otherwise the text just ends
};

/// Text and lines for all cells of a reference protocol. Prepared by one thread while cells are
/// planned; after that it is only read, by any number of threads.
class ReferenceHaystack {
 public:
  ReferenceHaystack(const ProtocolSpec& spec, const TokenCounter& counter, CorpusRules rules);

  /// Makes `units` words or lines available for the task. Throws UsageError when the task needs a
  /// text and there is none.
  void prepare(const Task& task, std::int64_t units);

  /// The text; call prepare() for a text task before.
  const ReferenceText& text() const { return *text_; }
  /// Words of the corpus itself, without repetition; call prepare() before.
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
