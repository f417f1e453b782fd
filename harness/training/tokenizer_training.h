// Trains the zoo's tokenizer.
#pragma once

#include <filesystem>

#include "harness/training/recipe.h"

namespace niah::zoo {

/// Learns SentencePiece unigram pieces from the documents of the recipe and writes tokenizer.model
/// and tokenizer_config.json into the folder `out`, which appears whole. Throws UsageError when
/// anything but an empty folder is there, DataError when SentencePiece refuses.
void train_tokenizer(const TokenizerRecipe& recipe, const std::filesystem::path& out);

}  // namespace niah::zoo
