// The Mamba-2 mixer of Nemotron-H, Falcon-H1, Granite 4 and Bamba, and the config fields that the
// last three share.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "models/arch/decoder.h"

namespace niah::models {

/// How the gate z and the norm (over the channels of each group) are applied to the output y of the
/// state space model.
enum class Mamba2Gate {
  kAlone,      ///< y silu(z), no norm
  kThenNorm,   ///< norm(y silu(z))
  kAfterNorm,  ///< norm(y) silu(z)
};

/// Sizes and options of the mixer.
struct Mamba2Shape {
  std::int64_t d = 0, heads = 0, head_dim = 0, groups = 1, state = 0, taps = 0;
  bool in_bias = false, out_bias = false, conv_bias = true;
  Mamba2Gate gate = Mamba2Gate::kThenNorm;
  double eps = 1e-5;
  /// Factors on the parts of the input projection's output: z, x, B, C, dt.
  std::array<double, 5> factors = {1, 1, 1, 1, 1};

  std::int64_t inner() const { return heads * head_dim; }
  std::int64_t channels() const { return inner() + 2 * groups * state; }  ///< x, B, C
};

/// The mixer: (x, B, C) go through a short convolution and silu, then the state space model
/// (ops/mamba2.h) plus D x, then gate and norm. Tensors in_proj, conv1d, A_log, D, dt_bias, norm,
/// out_proj. After the silu, everything up to the result of gate and norm is in fp32.
struct Mamba2Mixer : Mixer {
  Mamba2Mixer(const Mamba2Shape& shape, TensorSource& source, const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  /// C, B and x count as query, key and value (arXiv 2405.21060).
  MixerInfo describe() const override;

  Mamba2Shape shape;
  std::shared_ptr<Linear> in_proj, out_proj;
  std::shared_ptr<ShortConvolution> conv1d;
  at::Tensor a_log, skip, dt_bias, norm;  // [H], [H], [H], [H P] (undefined without norm)

 private:
  at::Tensor project_in(const at::Tensor& x, std::int64_t first, std::int64_t count) const;
  std::pair<at::Tensor, at::Tensor> split_input(const at::Tensor& x) const;
  at::Tensor scan(const at::Tensor& x, const LayerStates& states, std::int64_t rows) const;
  at::Tensor gated(const at::Tensor& y, const at::Tensor& x) const;
};

/// Reads mamba_n_heads, mamba_d_head, mamba_n_groups, mamba_d_state, mamba_d_conv and
/// mamba_conv_bias; heads times head size must equal `inner`. The caller sets projection biases,
/// gate and eps. Throws DataError for sizes that do not fit, and for limits on dt.
Mamba2Shape read_mamba2(ConfigReader& reader, std::int64_t d, std::int64_t inner);

/// mamba_expand * d.
std::int64_t read_mamba2_inner(ConfigReader& reader, std::int64_t d);

/// Throws DataError if groups do not divide the heads, or for absurd sizes.
void check_mamba2(const ConfigReader& reader, const Mamba2Shape& shape, const char* groups_field);

/// Throws DataError for a time_step_limit other than (0, infinity), in any spelling of infinity.
/// Declares without effect the fields that are only used to initialise dt.
void refuse_step_limit(ConfigReader& reader);

/// Adds the fields that affect the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const Mamba2Shape& shape);

}  // namespace niah::models
