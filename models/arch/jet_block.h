// The JetBlock of Jet-Nemotron (arXiv 2508.15884): the gated delta rule on values that go through a
// convolution whose taps every token makes itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/arch/decoder.h"

namespace niah::models {

struct JetBlockShape {
  std::int64_t d = 0, heads = 0, key_dim = 0, value_dim = 0, taps = 0;
  std::int64_t generator_dim = 0;  ///< width of what makes the taps
  double eps = 1e-5;

  std::int64_t keys() const { return heads * key_dim; }
  std::int64_t values() const { return heads * value_dim; }
};

/// Tensors q_proj, k_proj, v_proj, g_proj, b_proj, a_proj, o_proj, dynamic_conv1d, o_norm, A_log,
/// dt_bias.
std::shared_ptr<Mixer> make_jet_block(const JetBlockShape& shape, TensorSource& source,
                                      const std::string& name);

/// The shape that the fields of `json` give; `label` names it in errors. Throws DataError for what
/// is unknown or does not fit.
JetBlockShape read_jet_block(const nlohmann::json& json, const std::string& label, std::int64_t d);

/// Adds what changes the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const JetBlockShape& shape);

}  // namespace niah::models
