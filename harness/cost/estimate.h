// What a plan costs before it runs: tokens, FLOPs, memory, time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/engine/local/loaded_variants.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/work_list.h"
#include "harness/run/job_cost.h"
#include "models/causal_lm.h"

namespace niah {

/// What pricing must know of variants that run together; from headers alone, or loaded.
struct GroupShape {
  std::string name;  ///< "zoo: sft, qk, qk-pro"
  models::ModelInfo info;
  /// Of the matrices of each layer that a token goes through.
  std::vector<double> layer_parameters;
  /// Of those, what the last layer needs to take in a token that nothing is asked of.
  double last_intake = 0;
  double head_parameters = 0;
  std::int64_t widest = 0;  ///< widest projection: MLP or heads
  std::int64_t variants = 1;
  std::int64_t shared_layers = 0;  ///< computed once for all variants
  std::int64_t element = 4;        ///< bytes of a weight and of an activation
};

/// The shape of `variants` variants of `model` that share their first `shared` layers.
GroupShape group_shape(const models::CausalLM& model, std::string name, std::int64_t variants,
                       std::int64_t shared, at::ScalarType dtype);
/// The shape of a loaded group.
GroupShape group_shape(const VariantGroup& group, at::ScalarType dtype);

/// Bytes of memory at the peak, by use.
struct MemoryPrice {
  double program = 0;  ///< the process before anything is loaded: libraries, tokenizer, haystack
  double weights = 0;
  double cache = 0;    ///< keys and values
  double states = 0;   ///< what does not grow: recurrent matrices, windows, points to come back to
  double chunk = 0;    ///< activations of one pass
  double samples = 0;  ///< token ids of a cell's prompts
  double answers = 0;  ///< states of long answers, of which several are decoded at a time
  double total() const { return program + weights + cache + states + chunk + samples + answers; }
};

/// What one cell makes a run hold.
struct CellNeeds {
  std::int64_t tokens = 0;         ///< the longest text, prompt and generation
  std::int64_t chunk = 0;          ///< of one prefill pass
  std::int64_t marks = 0;          ///< points to come back to at once
  std::int64_t mark_budget = 0;    ///< their bytes at most
  std::int64_t prompt_tokens = 0;  ///< of all prompts
  std::int64_t draft = 0;          ///< tokens of the longest expected answer, read in one pass
  std::int64_t workers = 1;        ///< such cells read at once
};

/// Memory of one cell. Leaves `program`, `weights` and `answers` to the caller.
MemoryPrice price_cell_memory(const GroupShape& group, const CellNeeds& needs);

/// FLOPs (two for a multiplication and its addition) of reading positions [begin, end) for every
/// variant, nothing asked of them.
double read_flops(const GroupShape& group, std::int64_t begin, std::int64_t end);
/// FLOPs of reading [begin, end) for one variant, with logits of `rows` positions.
double ask_flops(const GroupShape& group, std::int64_t begin, std::int64_t end, std::int64_t rows);

/// Seconds of one operation at position 0 and at `far`; in between and beyond, linear.
struct SpeedLine {
  double at_start = 0;
  double at_far = 0;
  std::int64_t far = 1;
  double at(std::int64_t position) const;
};

/// Measured on this machine, on as many threads at once as the run will have.
struct Throughput {
  static constexpr std::int64_t kAnswerTokens = 8;
  SpeedLine chunk;   ///< a whole chunk for every variant
  SpeedLine answer;  ///< kAnswerTokens tokens for one variant, and the logits of all
  SpeedLine token;   ///< one token for one variant, and its logits
};

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
  double seconds_high = 0;  ///< if every token that may be generated is
};

/// A cell's questions.
struct LabelledQuestions {
  std::string label;
  std::vector<Question> questions;
};

/// Prices the questions of cells that are read as one, each cell. `chunk`: tokens of one prefill
/// pass. `answers`: bytes that a worker may spend on long ones. `speed` null: without time.
std::vector<CellPrice> price_cells(const GroupShape& group,
                                   const std::vector<LabelledQuestions>& cells,
                                   const RuntimeConfig& runtime, std::int64_t chunk,
                                   std::int64_t workers, std::int64_t answers,
                                   const Throughput* speed);

/// The same figures for a run's plan, which knows no shapes.
GroupCost group_cost(const GroupShape& group);

/// Bytes that may be used in all: runtime.memory_mib where it is set, else what a device has left,
/// or on the CPU what this process has and what the machine has left. Nullopt when nothing is
/// known.
std::optional<double> memory_limit(const RuntimeConfig& runtime, at::Device device);

/// Bytes of that which the process takes before anything is loaded: none on a device.
double program_memory(const Machine& machine);

/// Checks by the checkpoints' headers, before any tensor is read, that the longest cell fits in
/// memory. Throws DataError with the figures and with what would fit. Returns the bytes that one
/// worker may spend on long answers: what is to spare, up to the budget for points to come back to.
std::int64_t require_memory(const WorkList& work, const Machine& machine);

}  // namespace niah
