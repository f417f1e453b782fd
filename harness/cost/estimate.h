// What cells cost before they run: tokens, FLOPs, memory, time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/cost/cell_memory.h"
#include "harness/cost/flops.h"
#include "harness/cost/throughput.h"
#include "harness/plan/question.h"

namespace niah {

/// One cell on one group of variants.
struct CellPrice {
  std::string label;     ///< "S2@64K"
  std::string variants;  ///< the group's name
  std::int64_t samples = 0;
  std::int64_t prompt_tokens = 0;    ///< of all samples, once
  std::int64_t computed_tokens = 0;  ///< after prefix sharing, all variants
  double flops = 0;                  ///< if every answer is found at once
  MemoryPrice memory;
  double seconds_low = 0;   ///< if every answer is found at once
  double seconds_high = 0;  ///< if every answer takes all its tokens
};

/// A cell's questions.
struct LabelledQuestions {
  std::string label;
  std::vector<Question> questions;
};

/// Prices cells that are read together, each by itself. `chunk`: tokens of one prefill pass.
/// `answers`: bytes that a worker may spend on long answers. `speed`: null to leave out times.
std::vector<CellPrice> price_cells(const GroupShape& group,
                                   const std::vector<LabelledQuestions>& cells,
                                   const RuntimeConfig& runtime, std::int64_t chunk,
                                   std::int64_t workers, std::int64_t answers,
                                   const Throughput* speed);

}  // namespace niah
