// Variants by name, role and label, and how they relate to each other.
#pragma once

#include <string>

#include "reports/record.h"

namespace niah::reports {

/// Whether the run has one variant alone, so that nothing in it is compared.
bool has_one_checkpoint(const RunInfo& run);

/// The part of a description before its first ": " if that is short, else "".
std::string label_in(const std::string& description);

/// The variant's name for display: its label, followed by its name if two variants of the model
/// share the label, and preceded by the model's name if the run has several models. A checkpoint
/// alone that its config calls Base or Fine-tuned, which it is of nothing there, is called by the
/// model's name.
std::string label_of(const RunInfo& run, const VariantInfo& variant);

/// The same for the variant with this fingerprint; the fingerprint itself if the run has no such
/// variant.
std::string label_of(const RunInfo& run, const std::string& fingerprint);

/// A checkpoint's hash as it is shown to people, wherever it is: its first 16 digits.
std::string shown_hash(const std::string& sha256);

/// "weights b0b5d2175a7c3c03, fingerprint f03d1ed43edeb635": the checkpoint, where it is known, and
/// the variant, which is also its tokenizer and settings.
std::string hash_words(const VariantInfo& variant);

/// "fp32 on cpu"; empty if it is not known how the run was computed.
std::string arithmetic_words(const RunInfo& run);

/// The variant with this fingerprint, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& fingerprint);

/// The variant of `model` with this name, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& model,
                                const std::string& name);

/// The first variant of `model` with this role, or nullptr.
const VariantInfo* find_role(const RunInfo& run, const std::string& model, Role role);

/// The restoration of `model` by this method ("qk"), or nullptr.
const VariantInfo* find_method(const RunInfo& run, const std::string& model,
                               const std::string& method);

/// The local variant of the checkpoint that `variant` serves; nullptr if `variant` is not served,
/// or if the run does not name that checkpoint or did not run it.
const VariantInfo* find_checkpoint(const RunInfo& run, const VariantInfo& variant);

/// Whether `variant` is served and only there to be compared with a checkpoint, so that it takes no
/// part in the comparison of base, fine-tune and restoration.
bool is_second_way(const VariantInfo& variant);

/// The variant that `variant` is compared with: the checkpoint that it serves, or else its model's
/// base, or else its model's first variant. May be `variant` itself.
const VariantInfo& reference_of(const RunInfo& run, const VariantInfo& variant);

/// "Base, CoT-SFT, QK-Restore"; of very many, which no one would read, the first few and how many
/// more there are.
std::string variant_names(const RunInfo& run);

/// Whether the run has variants of this model.
bool has_model(const RunInfo& run, const std::string& model);

/// The models of the run, in the order of their first variants.
std::vector<std::string> models_of(const RunInfo& run);

}  // namespace niah::reports
