// Mamba-2's mixer, which Nemotron-H, Falcon-H1, Granite 4 and Bamba have in common, and the fields
// that the last three configure it by.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "models/arch/decoder.h"

namespace niah::models {

/// How the gate z and the norm, over each group's channels, follow the state space's output y.
enum class Mamba2Gate {
  kAlone,      ///< y silu(z), no norm
  kThenNorm,   ///< norm(y silu(z))
  kAfterNorm,  ///< norm(y) silu(z)
};

struct Mamba2Shape {
  std::int64_t d = 0, heads = 0, head_dim = 0, groups = 1, state = 0, taps = 0;
  bool in_bias = false, out_bias = false, conv_bias = true;
  Mamba2Gate gate = Mamba2Gate::kThenNorm;
  double eps = 1e-5;
  /// On the parts of the input projection, in their order: z, x, B, C, dt.
  std::array<double, 5> factors = {1, 1, 1, 1, 1};

  std::int64_t inner() const { return heads * head_dim; }
  std::int64_t channels() const { return inner() + 2 * groups * state; }  ///< x, B, C
};

/// (x, B, C) through a short convolution and silu, the state space (ops/mamba2.h) and D x, then the
/// gate. Tensors in_proj, conv1d, A_log, D, dt_bias, norm, out_proj. From the convolution to the
/// gate's or norm's result everything is fp32.
struct Mamba2Mixer : Mixer {
  Mamba2Mixer(const Mamba2Shape& shape, TensorSource& source, const std::string& name);
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  /// C, B and x are its query, key and value (arXiv 2405.21060).
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

/// The shape that mamba_n_heads, mamba_d_head, mamba_n_groups, mamba_d_state, mamba_d_conv and
/// mamba_conv_bias give, and `inner`, which heads and their size must make. Biases of projections,
/// gate and eps are the caller's. Throws DataError for what does not fit, and for limits on dt.
Mamba2Shape read_mamba2(ConfigReader& reader, std::int64_t d, std::int64_t inner);

/// mamba_expand times hidden_size.
std::int64_t read_mamba2_inner(ConfigReader& reader, std::int64_t d);

/// Refuses groups that do not divide the heads, and sizes that no model has.
void check_mamba2(const ConfigReader& reader, const Mamba2Shape& shape, const char* groups_field);

/// Refuses a time_step_limit other than (0, infinity), in any of the spellings that infinity has.
/// Declares the fields that only initialise dt.
void refuse_step_limit(ConfigReader& reader);

/// Adds what changes the result to ModelInfo::settings.
void add_settings(std::map<std::string, std::string>& settings, const Mamba2Shape& shape);

}  // namespace niah::models
