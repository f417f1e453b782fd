// The text and the mix of documents that the zoo's base model is trained on.
#pragma once

#include <string>
#include <vector>

#include "harness/training/recipe.h"
#include "tasks/random/counter.h"

namespace niah::zoo {

/// The part of the text after the held-out one, cut into short stretches so that there are many
/// places for needles. Throws UsageError for a text that never ends.
std::vector<std::string> training_sentences(const DataSpec& data);

/// Draws a kind of document by the weights of the mix.
tasks::DocumentKind choose_document(const DataSpec& data, tasks::CounterRng& rng);

}  // namespace niah::zoo
