// Common words: a numbered list of words, and the question which ten are in it most often.
#pragma once

#include <memory>

#include "tasks/synthetic/program.h"

namespace niah::tasks {

/// tasks/ruler/cwe_utils.py of lm-eval 0.4.13.
std::unique_ptr<const SyntheticProgram> lm_eval_common_words(const SyntheticRequest& request);
/// RULER's scripts/data/synthetic/common_words_extraction.py.
std::unique_ptr<const SyntheticProgram> ruler_common_words(const SyntheticRequest& request);

/// The generator by which lm-eval shuffles the words of every list, as it is at the start of its
/// process: it has shuffled all words once.
CPythonRandom lm_eval_word_shuffles();

/// How many words there are. RULER takes those of longer lists from a file of its own.
std::int64_t common_word_count();

}  // namespace niah::tasks
