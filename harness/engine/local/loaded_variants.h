// A sweep's variants, loaded: views on shared tensors, grouped by the layers they share.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "harness/config/sweep.h"
#include "models/causal_lm.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"

namespace niah {

/// One variant, ready to run.
struct LoadedVariant {
  reports::VariantInfo info;
  std::shared_ptr<models::CausalLM> model;
};

/// Variants that share their lower layers and are run together.
using VariantGroup = std::vector<LoadedVariant>;

/// The models of a group, in order.
std::vector<std::shared_ptr<models::CausalLM>> models_of(const VariantGroup& group);
/// The names of its variants: "sft, qk".
std::string names_of(const VariantGroup& group);

/// What every variant's fingerprint is made of, apart from its weights.
struct FingerprintBasis {
  std::string tokenizer_sha256;
  std::string arithmetic;  ///< element type, and device where it is not the CPU
  std::string decoding;    ///< max tokens, stop rule
};

/// Loads the variants of one model onto `device`, except served ones. The model must have a base.
/// Checkpoints are mapped once; restored variants share all tensors but the restored ones. Throws
/// DataError for an incomplete checkpoint, or for checkpoints of different architectures (lists the
/// differences).
std::vector<LoadedVariant> load_variants(const ModelConfig& model, at::ScalarType dtype,
                                         at::Device device, const FingerprintBasis& basis);

/// Throws UsageError, naming both, when two variants compute the same: only fingerprints tell
/// records apart, so no report could be drawn of such a run.
void require_distinct(const std::vector<LoadedVariant>& variants);

/// Throws DataError, naming the sizes, when an id that a prompt may hold is not below `rows`, the
/// rows of the embedding of `model`: an id of the tokenizer's own vocabulary, or one of `framed`, a
/// sample prompt with its frame. Added tokens beyond the embedding are allowed, because only their
/// own text becomes them. A vocabulary smaller than the embedding is usual.
void require_vocabulary(const models::Tokenizer& tokenizer, const std::string& tokenizer_name,
                        const std::vector<models::TokenId>& framed, std::int64_t rows,
                        const std::string& model);

/// A warning when texts of `length` tokens are longer than the positions that the model's config
/// claims, and its rotary embedding is not scaled for that; else empty.
std::string length_warning(const models::ModelInfo& info, std::int64_t length);

/// Groups the variants of one model that share at least the embedding and the first layer, keeping
/// their order. Variants of different models are never grouped, even with equal tensors, because
/// they may compute with them in different ways.
std::vector<VariantGroup> group_variants(const std::vector<LoadedVariant>& variants);

}  // namespace niah
