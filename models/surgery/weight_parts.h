// The rows of a model's tensors that are restored by the method `parts`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/causal_lm.h"
#include "models/surgery/restore_options.h"

namespace niah::models {

/// The rows that `options`, of RestoreMethod::kParts, restore, in the order of the model. `layers`
/// limits parts inside layers, not the embedding and the output projection. Without `windows` no
/// part holds rows of sliding-window mixers. The complement is every row of the model that the
/// parts do not hold. Throws UsageError, naming the parts that the model has, if it lacks one, and
/// if nothing is left.
std::vector<PartRows> rows_of_parts(const ModelInfo& info, const RestoreOptions& options);

/// Whether the model, or one of its layers, has rows of this part.
bool has_part(const ModelInfo& info, WeightPart part, std::optional<std::int64_t> layer = {});

/// The index of the first layer whose output the restoration of `parts` changes; 0 also for what
/// comes before all layers. The number of layers if only what follows them changes.
std::int64_t first_changed_layer(const ModelInfo& info, const RestoreOptions& options);

}  // namespace niah::models
