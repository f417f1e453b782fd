// Records as a run would leave them, for tests of what reports make of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/record.h"

namespace niah::reports {

/// A hit of sample `index`, with the depth and prompt hash that this sample has in every variant.
Record synthetic_record(const std::string& variant, const std::string& task, std::int64_t length,
                        std::int64_t index);

/// `record` turned into a miss of the class.
Record missed(Record record, const std::string& miss = "wrong_value");

/// `record` turned into one that could not be measured.
Record unmeasured(Record record, const std::string& outcome = "oom");

/// A run of five variants (base, sft, qk, qk-pro, v), three tasks and seven lengths.
RunInfo synthetic_info();

/// Records of that run: `samples` a cell, with losses as the paper describes them, a cell that ran
/// out of memory, a gap, text meant to break a page, and two reasoning sets.
std::vector<Record> synthetic_records(const RunInfo& info, std::int64_t samples);

/// What these records say of the run.
Results collect(const RunInfo& info, const std::vector<Record>& records);

/// base, sft and qk on one cell of `n` samples, with this many hits (the first samples).
Results one_cell(std::int64_t n, std::int64_t base, std::int64_t sft, std::int64_t qk);

/// A checkpoint ("f-base") and a server that has it ("f-vllm", called vLLM): one task, two lengths.
RunInfo served_info();

/// `samples` a cell of such a run, all found and said alike, but for what `change` makes of the
/// records of served variants.
std::vector<Record> served_records(
    const RunInfo& info, std::int64_t samples,
    const std::function<void(std::int64_t length, std::int64_t index, Record& served)>& change);

/// A night's run for the gate: one variant, one task, two lengths.
RunInfo nightly_info();

/// Whether sample `index` of the cell at `length` is a hit.
using Hit = std::function<bool(std::int64_t length, std::int64_t index)>;

/// `n` samples of each cell of such a run, hit or missed.
Results nightly(std::int64_t n, const Hit& hit, const RunInfo& info = nightly_info());

}  // namespace niah::reports
