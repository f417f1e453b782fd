// Records as a run would leave them, for tests of reports.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/record.h"

namespace niah::reports {

/// A hit on sample `index`, with this sample's depth and prompt hash, which are the same for all
/// variants.
Record synthetic_record(const std::string& variant, const std::string& task, std::int64_t length,
                        std::int64_t index);

/// `record` turned into a miss of class `miss`.
Record missed(Record record, const std::string& miss = "wrong_value");

/// `record` turned into a sample that could not be measured.
Record unmeasured(Record record, const std::string& outcome = "oom");

/// A run of five variants (base, sft, qk, qk-pro, v), three tasks and seven lengths.
RunInfo synthetic_info();

/// Records of that run: `samples` per cell, with losses as the paper describes them, a cell that
/// ran out of memory, a gap, text meant to break a page, and two reasoning sets.
std::vector<Record> synthetic_records(const RunInfo& info, std::int64_t samples);

/// The results that these records give.
Results collect(const RunInfo& info, const std::vector<Record>& records);

/// base, sft and qk on one cell of `n` samples, with this many hits (the first samples).
Results one_cell(std::int64_t n, std::int64_t base, std::int64_t sft, std::int64_t qk);

/// A checkpoint ("f-base") and a server that has it ("f-vllm", called vLLM): one task, two lengths.
RunInfo served_info();

/// Records of such a run: `samples` per cell, all hits with the same text, except where `change`
/// modifies the records of served variants.
std::vector<Record> served_records(
    const RunInfo& info, std::int64_t samples,
    const std::function<void(std::int64_t length, std::int64_t index, Record& served)>& change);

/// A night's run for the gate: one variant, one task, two lengths.
RunInfo nightly_info();

/// Whether sample `index` of the cell at `length` is a hit.
using Hit = std::function<bool(std::int64_t length, std::int64_t index)>;

/// Whatever is asked is found.
inline bool always(std::int64_t, std::int64_t) { return true; }

/// Results of such a run with `n` samples per cell.
Results nightly(std::int64_t n, const Hit& hit, const RunInfo& info = nightly_info());

}  // namespace niah::reports
