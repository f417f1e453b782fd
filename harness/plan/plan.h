// What a run is: written once to plan.json, checked when the run is resumed.
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

/// What reports are told of a variant, whose fingerprint is empty until its weights are read.
reports::VariantInfo describe_variant(const VariantConfig& variant, const std::string& model,
                                      std::string fingerprint);

/// How answers come about, for fingerprints: "greedy, 128 tokens, decided true".
std::string decoding_text(const WorkList& work);

/// The run's description before any weights are read, and of no machine yet: variants have no
/// fingerprints.
reports::RunInfo describe_sweep(const WorkList& work);

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

/// Throws UsageError naming both, when two variants have one fingerprint: it is all that tells
/// their records apart.
void require_distinct_fingerprints(const std::vector<reports::VariantInfo>& variants);

/// Now, as ISO 8601 in UTC.
std::string utc_now();

}  // namespace niah
