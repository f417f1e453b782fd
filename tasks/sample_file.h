// Samples from a file instead of a generator: our own JSONL, lm-evaluation-harness' logged samples,
// NVIDIA RULER's prepared data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// A sample that a log of niah's own is of, made again, with the hash of what the model read.
struct LoggedSample {
  Sample sample;
  std::string prompt_sha256;
};

/// Makes the samples of a run again: by task, length and index.
using SampleMaker =
    std::function<LoggedSample(const std::string& task, std::int64_t length, std::int64_t index)>;

/// Opens the run that wrote a log, which holds no prompts; an empty function when that run is not
/// there.
using LogOpener = std::function<SampleMaker(const std::filesystem::path& log)>;

/// The cells of `files`, ordered by length and task, each with at most `limit` samples (0: all), in
/// the file's order. Four kinds of lines are read: what `niah generate` writes; what lm-eval logs
/// with --log_samples (its `doc` holds the sample), or its docs alone; what RULER's prepare.py
/// writes; and what a run of ours logs in lm_eval/, made again by the run, or else from its prompts
/// if it has them. Files are mapped, and each sample is read when it is asked for. The needle is
/// looked up in the text, and an unknown requested depth is replaced by the real one. Throws
/// DataError with file and line for anything that is not a sample, duplicate samples, a prompt that
/// does not match its hash, or files of several protocols.
std::vector<std::unique_ptr<Cell>> read_sample_files(const std::vector<SampleFile>& files,
                                                     std::int64_t limit,
                                                     const LogOpener& open_log = {});

}  // namespace niah::tasks
