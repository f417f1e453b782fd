// Labels and descriptions of variants where the file gives none.
#pragma once

#include <string>
#include <vector>

#include "harness/config/sweep.h"

namespace niah {

/// Fills in labels and descriptions that the file does not give. A description of the form "Label:
/// text" gives both.
void describe_all(std::vector<VariantConfig>& variants);

/// Calls the variants of `model` what the first of `others` with the same pair of checkpoints calls
/// its base, its fine-tune and its restorations of the same kind; what it has not keeps its words.
void call_as(ModelConfig& model, const std::vector<ModelConfig>& others);

/// What a restoration is called by default: "qk", "parts-q-k", "all-but-mlp-layers-2".
std::string restoration_name(const models::RestoreOptions& options);

/// The first variant of that kind, or nullptr.
const VariantConfig* find_kind(const std::vector<VariantConfig>& variants, VariantKind kind);

/// The server of a variant of kind kServed.
const ServedConfig& server_of(const VariantConfig& variant);

/// A variant's weights in words, as far as the config determines them.
std::string weights_text(const ModelConfig& model, const VariantConfig& variant);

}  // namespace niah
