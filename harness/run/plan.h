// What a run is: written once to plan.json, checked when the run is resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/variants.h"
#include "reports/record.h"

namespace niah {

/// What the machine gives: resolved from "auto".
struct Machine {
  at::ScalarType dtype = at::kFloat;
  std::int64_t threads = 1;
  std::string description;  ///< processor, cores, dtype, threads
};

/// Resolves dtype and threads, and applies the thread count. bf16 is chosen where the processor
/// computes in it.
Machine prepare_machine(const RuntimeConfig& runtime);

/// The run's description for reports.
reports::RunInfo describe_run(const SweepConfig& sweep, const std::vector<LoadedVariant>& order,
                              const std::string& haystack, const std::string& tokenizer,
                              const Machine& machine);

/// Writes plan.json, or checks that the one there is of the same run (variants, protocol, haystack,
/// tokenizer, seed; tasks, lengths and counts may grow). Throws UsageError naming what differs.
void write_or_check_plan(const std::filesystem::path& folder, reports::RunInfo& info);

/// Now, as ISO 8601 in UTC.
std::string utc_now();

}  // namespace niah
