// Runs a training recipe to a finished checkpoint.
#pragma once

#include <filesystem>

#include "harness/training/recipe.h"

namespace niah::zoo {

/// Where a training run goes.
struct TrainRun {
  std::filesystem::path out;  ///< folder of the result; the state is kept in "<out>.work"
  bool quiet = false;
};

/// Trains, showing loss, tokens a second and time left; saves a resumable state while it goes, and
/// continues from it when called again with the same recipe, seed and data. Leaves a Hugging Face
/// folder with the tokenizer, which appears whole; with `lora` a PEFT adapter in its place. Throws
/// UsageError when anything but an empty folder is at `out`, when the state is of another training
/// (naming what differs), and when "<out>.work" holds what no training wrote; Interrupted after
/// saving when the user stops it.
void train(const Recipe& recipe, const TrainRun& run);

}  // namespace niah::zoo
