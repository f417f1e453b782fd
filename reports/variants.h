// What a variant is to the others: the base, a fine-tune, a restoration.
#pragma once

#include <string>

#include "reports/record.h"

namespace niah::reports {

/// A variant's part in the comparison.
enum class Role {
  kBase,       ///< the model before the fine-tune
  kFineTuned,  ///< a fine-tune, the subject of the run ("sft") or a control ("direct-sft")
  kRestored,   ///< the fine-tune with some weights put back
};

/// By the variant's name: "base"; any name with "sft" in it; everything else.
Role role_of(const VariantInfo& variant);

/// The variant as people read it: what its description has before the first ": " when that is
/// short, or else its name; both, where two variants of a model would read the same. With several
/// models in the run the model's name comes first.
std::string label_of(const RunInfo& run, const VariantInfo& variant);

/// The variant with this fingerprint, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& fingerprint);

/// The variant of `model` with this name, or nullptr.
const VariantInfo* find_variant(const RunInfo& run, const std::string& model,
                                const std::string& name);

/// What `variant` is compared with: its model's base, or else its model's first variant. May be the
/// variant itself.
const VariantInfo& reference_of(const RunInfo& run, const VariantInfo& variant);

/// Whether the run has variants of this model.
bool has_model(const RunInfo& run, const std::string& model);

/// The models of the run, in the order of their first variants.
std::vector<std::string> models_of(const RunInfo& run);

}  // namespace niah::reports
