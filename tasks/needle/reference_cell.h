// Cells of the reference protocols: samples are planned in the order of the random stream, and can
// then be made in any order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "tasks/needle/reference_maker.h"

namespace niah::tasks {

/// How to make a sample again: the state of the random stream before it, and its size.
struct SamplePlan {
  std::int64_t index = 0;  ///< its number in the program, from 0
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

/// How many words or lines the reference programs add or remove at a time.
std::int64_t size_step(const Task& task, std::int64_t length);

/// The plan of a sample of `units`, made by drawing it, which moves `random` on.
SamplePlan plan_draft(const ReferenceRun& run, const Task& task, std::int64_t index,
                      std::int64_t units, CPythonRandom& random);

/// A cell of planned samples.
std::unique_ptr<Cell> make_reference_cell(const ReferenceRun& run, const CellRequest& request,
                                          std::vector<SamplePlan> plans);

/// The error for a length that is too small for the program: its shortest sample has `shortest`
/// tokens.
UsageError too_short(const ReferenceRun& run, const CellRequest& request, std::int64_t shortest);

}  // namespace niah::tasks
