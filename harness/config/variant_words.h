// What variants are called and how they are described where the file does not say.
#pragma once

#include <vector>

#include "harness/config/sweep.h"

namespace niah {

/// Fills in labels and descriptions that the file does not give. "Label: text" as a description
/// gives both.
void describe_all(std::vector<VariantConfig>& variants);

/// The first variant of that kind, or nullptr.
const VariantConfig* find_kind(const std::vector<VariantConfig>& variants, VariantKind kind);

/// What a variant computes with, as far as the config tells.
std::string weights_text(const ModelConfig& model, const VariantConfig& variant);

}  // namespace niah
