// Frequent words: made-up words, a few of them often and most of them rarely, and the question
// which three are the most frequent.
#pragma once

#include <memory>

#include "tasks/synthetic/program.h"

namespace niah::tasks {

/// tasks/ruler/fwe_utils.py of lm-eval 0.4.13.
std::unique_ptr<const SyntheticProgram> lm_eval_frequent_words(const SyntheticRequest& request);
/// RULER's scripts/data/synthetic/freq_words_extraction.py.
std::unique_ptr<const SyntheticProgram> ruler_frequent_words(const SyntheticRequest& request);

}  // namespace niah::tasks
