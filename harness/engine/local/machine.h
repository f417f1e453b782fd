// What a run computes on: device, element type, threads.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>

#include "harness/config/sweep.h"
#include "reports/record.h"

namespace niah {

/// Device, element type and threads, with "auto" resolved.
struct Machine {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t threads = 1;
  std::string description;  ///< processor, cores, threads, dtype, device if not the CPU
};

/// Resolves device, dtype and threads, and applies the thread count. bf16 is chosen on a CUDA
/// device, and where the processor computes in it. Throws what models::find_device throws.
Machine prepare_machine(const RuntimeConfig& runtime);

/// Tokens of one prefill pass.
std::int64_t prefill_chunk(const RuntimeConfig& runtime, const Machine& machine);

/// What results are computed in: "fp32" or "bf16", with the device if that is not the CPU. Samples
/// computed differently are not mixed.
std::string arithmetic(const Machine& machine);

/// The number of workers. The layers of a small model are too little work to split between threads:
/// several workers then read different texts instead, with one thread each.
std::int64_t count_workers(std::int64_t hidden_size, const Machine& machine);

/// Adds to a run's description what it is computed on.
void describe_machine(reports::RunInfo& info, const RuntimeConfig& runtime, const Machine& machine);

}  // namespace niah
