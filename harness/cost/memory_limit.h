// How much memory may be used, and the refusal of sweeps that would not fit.
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

/// Bytes that may be used in all: runtime.memory_mib if it is set. Otherwise, on a device, its free
/// memory, and on the CPU what this process holds plus what the machine has left. Nullopt when
/// nothing is known.
std::optional<double> memory_limit(const RuntimeConfig& runtime, at::Device device);

/// Bytes of that limit that the process takes before anything is loaded; 0 on a device.
double program_memory(const Machine& machine);

/// What the headers of checkpoints tell of a sweep's variants.
struct HeaderPrice {
  double weights = 0;  ///< bytes of all variants, shared tensors once
  std::vector<GroupShape> groups;
  std::int64_t workers = 1;  ///< that will read in parallel
};

/// Reads the headers of all checkpoints and no tensor. Assumes that checkpoints differ in every
/// layer, and that restored variants share those below the first softmax layer, or below the first
/// layer with restored parts. Throws DataError when a checkpoint does not match its config.
HeaderPrice price_headers(const SweepConfig& sweep, const Machine& machine);

/// Checks by the checkpoints' headers, before any tensor is read, that the longest cell fits in
/// memory. Throws DataError with the figures and with what would fit. Returns the bytes that one
/// worker may spend on long answers: what is left over, up to the budget for snapshots.
std::int64_t require_memory(const WorkList& work, const Machine& machine);

}  // namespace niah
