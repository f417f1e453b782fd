// Small building blocks that the architectures share.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/ops/batch.h"
#include "models/ops/norm.h"
#include "models/tensor_source.h"

namespace niah::models {

/// y = x W^T (+ b), W [out, in].
struct Linear : torch::nn::Module {
  Linear(TensorSource& source, const std::string& name, std::int64_t in, std::int64_t out,
         bool with_bias = false);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight, bias;
};

/// RMSNorm (ops/norm.h).
struct RmsNorm : torch::nn::Module {
  RmsNorm(TensorSource& source, const std::string& name, std::int64_t size, double eps,
          NormRounding rounding = NormRounding::kBeforeWeight);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight;
  double eps;
  NormRounding rounding;
};

/// Token embedding, E [vocab, d].
struct Embedding : torch::nn::Module {
  Embedding(TensorSource& source, const std::string& name, std::int64_t vocab, std::int64_t size);
  at::Tensor operator()(const at::Tensor& ids) const;

  at::Tensor weight;
};

/// A short convolution (ops/short_convolution.h) over C = `channels` channels.
struct ShortConvolution : torch::nn::Module {
  ShortConvolution(TensorSource& source, const std::string& name, std::int64_t channels,
                   std::int64_t taps, bool with_bias = false);
  /// x [B, T, C] → [B, T, C]; keeps the tail in `states`.
  at::Tensor operator()(const at::Tensor& x, const LayerStates& states) const;

  at::Tensor weight, bias;  // [C, 1, k], [C]
};
/// The same with a given weight [C, 1, k], for weights concatenated from several tensors.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const LayerStates& states);

/// [B, T, H*D] → [B, H, T, D].
at::Tensor split_heads(const at::Tensor& x, std::int64_t head_dim);
/// [B, H, T, D] → [B, T, H*D].
at::Tensor merge_heads(const at::Tensor& x);
/// The last `rows` of the T positions of [B, T, d].
at::Tensor last_rows(const at::Tensor& x, std::int64_t rows);

/// How the heads of a layer are rotated.
struct Rotation {
  bool by_window_tables = false;  ///< with the tables for sliding-window layers
  bool rounds_once = false;       ///< in fp32, rounding only the result (OLMo)
};
/// Rotary embedding of heads [B, H, R, D] at the last R positions of a pass.
at::Tensor rotate(const at::Tensor& x, const Pass& pass, const Rotation& how = {});

/// f(x) for x [B, T, ...]; if sequences decode together (T = 1), one sequence at a time
/// (for_each_of_batch).
template <typename F>
at::Tensor each_sequence(const at::Tensor& x, const F& f) {
  return x.size(1) > 1 ? f(x) : for_each_of_batch(x, f);
}

/// How a softmax layer attends.
struct Attention {
  double scale = 1;         ///< factor on q·k
  std::int64_t window = 0;  ///< number of keys that a query sees, including its own; 0: all
  bool cached = true;       ///< false: whole sequences, differentiable
};

/// Softmax attention of queries [B, H, R, D] at the last R positions to what each sequence may
/// attend to, as returned by remember(): [B, H, R, D]. Calls pass.watch and pass.attend if set.
at::Tensor attend(const at::Tensor& query, const std::vector<KeyValue>& seen,
                  const Attention& attention, const Pass& pass);

}  // namespace niah::models
