// How much memory a cell needs while it is read and answered.
#pragma once

#include <cstdint>

#include "harness/cost/flops.h"
#include "harness/plan/question.h"

namespace niah {

/// Bytes of memory at the peak, by use.
struct MemoryPrice {
  double program = 0;  ///< the process before anything is loaded: libraries, tokenizer, haystack
  double weights = 0;
  double cache = 0;    ///< keys and values
  double states = 0;   ///< fixed in size: recurrent matrices, windows, snapshots
  double chunk = 0;    ///< activations of one pass
  double samples = 0;  ///< token ids of a cell's prompts
  double answers = 0;  ///< states of long answers, of which several are decoded at a time
  double total() const { return program + weights + cache + states + chunk + samples + answers; }
};

/// What determines how much memory a cell needs.
struct CellNeeds {
  std::int64_t tokens = 0;         ///< the longest text, prompt and generation
  std::int64_t chunk = 0;          ///< of one prefill pass
  std::int64_t marks = 0;          ///< snapshots held at once
  std::int64_t mark_budget = 0;    ///< the most bytes of snapshots
  std::int64_t prompt_tokens = 0;  ///< of all prompts
  std::int64_t draft = 0;          ///< tokens of the longest expected answer, read in one pass
  std::int64_t workers = 1;        ///< threads that read such cells in parallel
};

/// Updates the needs of a cell for one of its questions.
void add_needs(CellNeeds& needs, const Question& question);

/// Memory of one cell. Leaves `program`, `weights` and `answers` to the caller.
MemoryPrice price_cell_memory(const GroupShape& group, const CellNeeds& needs);

/// The most bytes of all workers' long answers, for texts of `tokens` tokens and `budget` bytes per
/// worker. There are at most as many answers as `samples` per variant.
double answer_bytes(const GroupShape& group, std::int64_t tokens, std::int64_t budget,
                    std::int64_t workers, std::int64_t samples);

}  // namespace niah
