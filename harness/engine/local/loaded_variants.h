// A sweep's variants, loaded: views on shared tensors, grouped by what they have in common.
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

/// Its models, in order, and its variants' names: "sft, qk".
std::vector<std::shared_ptr<models::CausalLM>> models_of(const VariantGroup& group);
std::string names_of(const VariantGroup& group);

/// What enters every variant's fingerprint beside its weights.
struct FingerprintBasis {
  std::string tokenizer_sha256;
  std::string arithmetic;  ///< element type, and device where it is not the CPU
  std::string decoding;    ///< max tokens, stop rule
};

/// Loads the variants of one model, which has a base, onto `device`; not those of a server.
/// Checkpoints are mapped once; restored variants share all tensors but the restored ones. Throws
/// DataError for a checkpoint that is not whole, or for checkpoints of different architectures
/// (lists the differences).
std::vector<LoadedVariant> load_variants(const ModelConfig& model, at::ScalarType dtype,
                                         at::Device device, const FingerprintBasis& basis);

/// Throws UsageError naming both, when two variants compute the same: one fingerprint is all that
/// tells records apart, so no report could be drawn of such a run.
void require_distinct(const std::vector<LoadedVariant>& variants);

/// Throws DataError, naming the sizes, when an id that prompts may hold has no row among the
/// `rows` of the embedding of `model`: one of the tokenizer's own vocabulary, or one of `framed`, a
/// prompt with all that is put around it. Added tokens beyond the embedding are no reason: nothing
/// becomes them but their own text. Fewer ids than rows are usual.
void require_vocabulary(const models::Tokenizer& tokenizer, const std::string& tokenizer_name,
                        const std::vector<models::TokenId>& framed, std::int64_t rows,
                        const std::string& model);

/// A warning when texts of `length` tokens are longer than the positions that the config of a model
/// claims and its rotary embedding is not scaled for that; empty when not.
std::string length_warning(const models::ModelInfo& info, std::int64_t length);

/// Puts variants of one model together that share at least the embedding and the first layer,
/// keeping their order. Different models stay apart whatever their tensors are: equal ones may be
/// computed with in different ways.
std::vector<VariantGroup> group_variants(const std::vector<LoadedVariant>& variants);

}  // namespace niah
