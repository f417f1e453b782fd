// Samples from a file instead of a generator: our own JSONL, lm-evaluation-harness' logged samples,
// NVIDIA RULER's prepared data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks/protocol.h"

namespace niah::tasks {

/// A file of samples, with what the file itself may lack.
struct SampleFile {
  std::filesystem::path path;
  /// Needed when neither the lines nor the path name the task (niah_single_2 in
  /// samples_niah_single_2_<date>.jsonl, or in a folder's name).
  std::string task;
  /// Nominal length; needed for RULER's data unless a folder of the path has it as its name.
  std::optional<std::int64_t> length;
};

/// The cells of `files`, ordered by length and task, each with at most `limit` samples (0: all), in
/// the file's order. Three kinds of lines are read: what `niah generate` writes; what lm-eval logs
/// with --log_samples (its `doc` holds the sample), or its docs alone; and what RULER's prepare.py
/// writes. Files are mapped, and each sample is read when it is asked for. The needle is looked up
/// in the text, and an unknown requested depth is replaced by the real one. Throws DataError with
/// file and line for anything that is not a sample, duplicate samples, a prompt that does not match
/// its hash, or files of several protocols.
std::vector<std::unique_ptr<Cell>> read_sample_files(const std::vector<SampleFile>& files,
                                                     std::int64_t limit);

}  // namespace niah::tasks
