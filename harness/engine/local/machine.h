// What a run computes on: device, element type, threads.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>

#include "harness/config/sweep.h"
#include "reports/record.h"

namespace niah {

/// What the machine gives: resolved from "auto".
struct Machine {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t threads = 1;
  std::string description;  ///< processor, cores, threads, device where it is another, dtype
};

/// Resolves device, dtype and threads, and applies the thread count. bf16 is chosen on a CUDA
/// device, and where the processor computes in it. Throws what models::find_device throws.
Machine prepare_machine(const RuntimeConfig& runtime);

/// Tokens of one prefill pass.
std::int64_t prefill_chunk(const RuntimeConfig& runtime, const Machine& machine);

/// What results are computed in, "fp32" or "bf16", and on what, where that is not the CPU: samples
/// of both are not mixed.
std::string arithmetic(const Machine& machine);

/// How many cells are read at once. A small model's layers are too little work to share between
/// threads: there several threads read different cells instead, each on its own.
std::int64_t count_workers(std::int64_t hidden_size, const Machine& machine);

/// Adds to a run's description on what it is computed.
void describe_machine(reports::RunInfo& info, const RuntimeConfig& runtime, const Machine& machine);

}  // namespace niah
