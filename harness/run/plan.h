// What a run is: written once to plan.json, checked when the run is resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/variants.h"
#include "harness/run/workload.h"
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

/// Loads every variant of the sweep, in its order. Fingerprints name the tokenizer's files by their
/// hash: by `tokenizer_sha256` where a run was begun with the same tokenizer in other bytes. Throws
/// what load_variants throws, and before anything is loaded what require_vocabulary throws.
std::vector<LoadedVariant> load_all(const Workload& work, const Machine& machine,
                                    const std::string& tokenizer_sha256 = "");

/// How many cells are read at once. A small model's layers are too little work to share between
/// threads: there several threads read different cells instead, each on its own.
std::int64_t count_workers(std::int64_t hidden_size, const Machine& machine);
std::int64_t count_workers(const std::vector<VariantGroup>& groups, const Machine& machine);

/// What a user should know of the models before trusting their results: "model: …". Also where
/// `work` asks for longer texts than a model's config claims.
std::vector<std::string> model_warnings(const std::vector<LoadedVariant>& variants,
                                        const Workload& work);

/// The run's description before any weights are read: variants have no fingerprints yet.
reports::RunInfo describe_sweep(const Workload& work, const Machine& machine);

/// Adds what loading the variants tells: fingerprints, and `warnings` of the models.
void describe_loaded(reports::RunInfo& info, const std::vector<LoadedVariant>& order,
                     const std::vector<std::string>& warnings);

/// The plan that is in `folder`; nullopt where there is none. Throws UsageError naming what differs
/// when it is that of another run. Tasks, lengths and counts may grow. Variants without
/// fingerprints are compared by name.
std::optional<reports::RunInfo> check_plan(const std::filesystem::path& folder,
                                           const reports::RunInfo& info);

/// A run that was begun with the same tokenizer in other bytes goes on by the bytes' first hash:
/// its records stand under it. Nothing where `begun` is of an earlier version.
void keep_tokenizer(const reports::RunInfo& begun, reports::RunInfo& info);

/// Writes plan.json. What stays of the plan that is there goes into `info`: its start, and on which
/// processors its records were computed. Throws what check_plan throws, and DataError.
void write_plan(const std::filesystem::path& folder, reports::RunInfo& info);

/// The description of the run in `folder`. Throws DataError.
reports::RunInfo read_plan(const std::filesystem::path& folder);

/// What keeps two descriptions from being of one run; empty when they are.
std::vector<std::string> run_differences(const reports::RunInfo& old, const reports::RunInfo& info);

/// Now, as ISO 8601 in UTC.
std::string utc_now();

}  // namespace niah
