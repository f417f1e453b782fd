// The description of a run: written to plan.json, and checked when the run is resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/plan/work_list.h"
#include "reports/record.h"

namespace niah {

/// A variant as reports describe it; `fingerprint` is empty until its weights are read.
reports::VariantInfo describe_variant(const VariantConfig& variant, const std::string& model,
                                      std::string fingerprint);

/// The decoding settings in a line, for fingerprints: "greedy, 128 tokens, decided true".
std::string decoding_text(const WorkList& work);

/// The run's description before any weights are read: without machine and fingerprints.
reports::RunInfo describe_sweep(const WorkList& work);

/// The plan in `folder`; nullopt if there is none. Throws UsageError, naming the differences, when
/// it is that of another run. Tasks, lengths, counts and variants may be added. Variants without
/// fingerprints are compared by name.
std::optional<reports::RunInfo> check_plan(const std::filesystem::path& folder,
                                           const reports::RunInfo& info);

/// Keeps the tokenizer's hash that the run was begun with, although the same tokenizer may now be
/// in files that differ: the run's records have fingerprints made from it. Does nothing when
/// `begun` comes from a version that kept no hash.
void keep_tokenizer(const reports::RunInfo& begun, reports::RunInfo& info);

/// Writes plan.json. From an existing plan, `info` takes over the start, and the processors that
/// its records were computed on. Throws what check_plan throws, and DataError.
void write_plan(const std::filesystem::path& folder, reports::RunInfo& info);

/// The description of the run in `folder`. Throws DataError.
reports::RunInfo read_plan(const std::filesystem::path& folder);

/// What shows that two descriptions are not of one run; empty when they are.
std::vector<std::string> run_differences(const reports::RunInfo& old, const reports::RunInfo& info);

/// Throws UsageError, naming both, when two variants have the same fingerprint: only that tells
/// their records apart.
void require_distinct_fingerprints(const std::vector<reports::VariantInfo>& variants);

/// The current time in UTC, as ISO 8601.
std::string utc_now();

}  // namespace niah
