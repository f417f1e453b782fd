// Runs a training recipe to a finished checkpoint.
#pragma once

#include <filesystem>

#include "harness/zoo/recipe.h"

namespace niah::zoo {

/// Where a training run goes.
struct TrainRun {
  std::filesystem::path out;  ///< finished checkpoint folder; working files go to "<out>.work"
  bool quiet = false;
};

/// Trains, showing loss, tokens a second and time left; saves a resumable state while it goes, and
/// continues from it when called again. Leaves a Hugging Face folder with the tokenizer. Throws
/// Interrupted after saving when the user stops it.
void train(const Recipe& recipe, const TrainRun& run);

}  // namespace niah::zoo
