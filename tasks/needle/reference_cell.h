// Cells of the reference protocols: planned in the order of the random stream, made in any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "tasks/needle/reference_maker.h"

namespace niah::tasks {

/// How to make a sample of a cell again: the stream as it stood before it, and its size.
struct SamplePlan {
  std::int64_t index = 0;  ///< the program's number of it, from 0
  CPythonRandom random;
  std::int64_t units = 0;
  std::int64_t length = 0;  ///< as the program reports it
};

/// What the cells of one run have in common.
struct ReferenceRun {
  ProtocolSpec spec;
  std::shared_ptr<ReferenceHaystack> haystack;
  std::uint64_t shuffle_seed = 0;
  /// A draft's length in tokens as the program counts it, answer room included.
  std::function<std::int64_t(const ReferenceDraft&)> length;

  /// make_draft() of this run, with the haystack prepared.
  ReferenceDraft make(const Task& task, std::int64_t units, CPythonRandom& random) const;
};

/// Words or lines that the reference programs add or take away at a time.
std::int64_t size_step(const Task& task, std::int64_t length);

/// A draft of `units`, made with the stream as it stands.
SamplePlan plan_draft(const ReferenceRun& run, const Task& task, std::int64_t index,
                      std::int64_t units, CPythonRandom& random);

/// A cell of planned samples.
std::unique_ptr<Cell> make_reference_cell(const ReferenceRun& run, const CellRequest& request,
                                          std::vector<SamplePlan> plans);

/// The error for a length that the program cannot fill: `shortest` is what it made at its least.
UsageError too_short(const ReferenceRun& run, const CellRequest& request, std::int64_t shortest);

}  // namespace niah::tasks
