// How much memory there is, and the refusal of what would not fit in it.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/cost/flops.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/work_list.h"

namespace niah {

/// Bytes that may be used in all: runtime.memory_mib where it is set, else what a device has left,
/// or on the CPU what this process has and what the machine has left. Nullopt when nothing is
/// known.
std::optional<double> memory_limit(const RuntimeConfig& runtime, at::Device device);

/// Bytes of that which the process takes before anything is loaded: none on a device.
double program_memory(const Machine& machine);

/// A sweep's variants as their files' headers tell them.
struct HeaderPrice {
  double weights = 0;  ///< bytes of all, what variants of a model share once
  std::vector<GroupShape> groups;
  std::int64_t workers = 1;  ///< that will read at once
};

/// Reads the headers of all checkpoints and no tensor. Checkpoints are taken to differ in every
/// layer, restored variants to share those below the first softmax layer. Throws DataError where a
/// checkpoint is not as its config says.
HeaderPrice price_headers(const SweepConfig& sweep, const Machine& machine);

/// Checks by the checkpoints' headers, before any tensor is read, that the longest cell fits in
/// memory. Throws DataError with the figures and with what would fit. Returns the bytes that one
/// worker may spend on long answers: what is to spare, up to the budget for points to come back to.
std::int64_t require_memory(const WorkList& work, const Machine& machine);

}  // namespace niah
