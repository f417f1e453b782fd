// Output heads that are tied to the embedding (tie_word_embeddings: true). A checkpoint may store
// one nevertheless: ModelInfo::tied_head.
#pragma once

#include <string>

#include "models/causal_lm.h"
#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// The name of the tensor that is the embedding.
std::string embedding_tensor(const ModelInfo& info);

/// The head that is stored although it is tied; nullptr if there is none.
const TensorInfo* stored_tied_head(const Checkpoint& checkpoint, const ModelInfo& info);

/// Throws DataError if the stored head has not the embedding's shape or holds no floating-point
/// numbers, or if an adapter changes the embedding beside it alone. Reads headers only.
void check_tied_head(const Checkpoint& checkpoint, const ModelInfo& info);

/// Throws DataError: the stored `head` of the checkpoint `label` differs from `embedding`.
[[noreturn]] void refuse_other_head(const std::string& label, const std::string& head,
                                    const std::string& embedding);

}  // namespace niah::models
