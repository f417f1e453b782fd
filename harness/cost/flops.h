// FLOPs of reading and answering; a multiplication and its addition count as two.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/engine/local/loaded_variants.h"
#include "harness/run/job_cost.h"
#include "models/causal_lm.h"

namespace niah {

/// What pricing needs to know of variants that run together, from headers alone or from loaded
/// models.
struct GroupShape {
  std::string name;  ///< "zoo: sft, qk, qk-pro"
  models::ModelInfo info;
  /// Parameters of the matrices that a token goes through, by layer.
  std::vector<double> layer_parameters;
  /// Of the last layer's parameters, those needed for a token whose logits are not wanted.
  double last_intake = 0;
  double head_parameters = 0;
  std::int64_t widest = 0;  ///< widest projection: MLP or heads
  std::int64_t variants = 1;
  std::int64_t shared_layers = 0;  ///< computed once for all variants
  std::int64_t element = 4;        ///< bytes of a weight and of an activation
};

/// The shape of `variants` variants of `model` that share their first `shared` layers.
GroupShape group_shape(const models::CausalLM& model, std::string name, std::int64_t variants,
                       std::int64_t shared, at::ScalarType dtype);
/// The shape of a loaded group.
GroupShape group_shape(const VariantGroup& group, at::ScalarType dtype);

/// FLOPs of reading positions [begin, end) for every variant, without logits.
double read_flops(const GroupShape& group, std::int64_t begin, std::int64_t end);
/// FLOPs of reading [begin, end) for one variant, with logits of `rows` positions.
double ask_flops(const GroupShape& group, std::int64_t begin, std::int64_t end, std::int64_t rows);

/// The same as functions, for the run, which does not know shapes.
GroupCost group_cost(const GroupShape& group);

}  // namespace niah
