// What a variant is to the others: the base, a fine-tune, a restoration.
#pragma once

#include <string>

#include "reports/record.h"

namespace niah::reports {

/// What a description has before its first ": " when that is short, or else "".
std::string label_in(const std::string& description);

/// The variant as people read it: its label, and its name, too, where two variants of a model would
/// read the same. With several models in the run the model's name comes first.
std::string label_of(const RunInfo& run, const VariantInfo& variant);

/// The same of the variant with this fingerprint; the fingerprint itself where the run has none.
std::string label_of(const RunInfo& run, const std::string& fingerprint);

/// The variant with this fingerprint, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& fingerprint);

/// The variant of `model` with this name, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& model,
                                const std::string& name);

/// The variant of `model` with this role, the first of several, or nullptr.
const VariantInfo* find_role(const RunInfo& run, const std::string& model, Role role);

/// The restoration of `model` that put back just that ("qk"), or nullptr.
const VariantInfo* find_method(const RunInfo& run, const std::string& model,
                               const std::string& method);

/// The variant that was run here of the checkpoint that the served `variant` serves, or nullptr
/// where the run does not say whose that is, or does not have it.
const VariantInfo* find_checkpoint(const RunInfo& run, const VariantInfo& variant);

/// Whether the served `variant` is there to be compared with a checkpoint: it is no part of a
/// fine-tune's story, whatever it recalls.
bool is_second_way(const VariantInfo& variant);

/// What `variant` is compared with: the checkpoint that it serves, or its model's base, or else its
/// model's first variant. May be the variant itself.
const VariantInfo& reference_of(const RunInfo& run, const VariantInfo& variant);

/// Whether the run has variants of this model.
bool has_model(const RunInfo& run, const std::string& model);

/// The models of the run, in the order of their first variants.
std::vector<std::string> models_of(const RunInfo& run);

}  // namespace niah::reports
