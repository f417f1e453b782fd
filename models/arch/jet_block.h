// The JetBlock of Jet-Nemotron (arXiv 2508.15884): the gated delta rule with a dynamic convolution
// of the values, whose taps are computed from each token.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/arch/decoder.h"

namespace niah::models {

/// Sizes of the mixer.
struct JetBlockShape {
  std::int64_t d = 0, heads = 0, key_dim = 0, value_dim = 0, taps = 0;
  std::int64_t generator_dim = 0;  ///< hidden width of the kernel generator
  double eps = 1e-5;

  std::int64_t keys() const { return heads * key_dim; }
  std::int64_t values() const { return heads * value_dim; }
};

/// Makes the mixer. Tensors q_proj, k_proj, v_proj, g_proj, b_proj, a_proj, o_proj, dynamic_conv1d,
/// o_norm, A_log, dt_bias.
std::shared_ptr<Mixer> make_jet_block(const JetBlockShape& shape, TensorSource& source,
                                      const std::string& name);

/// Reads the shape from `json`, which `label` names in errors. Throws DataError for unknown fields
/// and for sizes that do not fit.
JetBlockShape read_jet_block(const nlohmann::json& json, const std::string& label, std::int64_t d);

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const JetBlockShape& shape);

}  // namespace niah::models
