// The small building blocks that every architecture here shares.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/ops/batch.h"
#include "models/ops/norm.h"
#include "models/weights.h"

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

/// A short convolution (ops/short_convolution.h) over `channels`, whose tail it keeps.
struct ShortConvolution : torch::nn::Module {
  ShortConvolution(TensorSource& source, const std::string& name, std::int64_t channels,
                   std::int64_t taps, bool with_bias = false);
  /// x [B, T, C] → [B, T, C]; takes all T positions into `states`.
  at::Tensor operator()(const at::Tensor& x, const LayerStates& states) const;

  at::Tensor weight, bias;  // [C, 1, k], [C]
};
/// The same with a weight [C, 1, k] that is put together from several tensors.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const LayerStates& states);

/// [B, T, H*D] → [B, H, T, D].
at::Tensor split_heads(const at::Tensor& x, std::int64_t head_dim);
/// [B, H, T, D] → [B, T, H*D].
at::Tensor merge_heads(const at::Tensor& x);
/// The last `rows` of the T positions of [B, T, d].
at::Tensor last_rows(const at::Tensor& x, std::int64_t rows);

/// How a layer's heads are rotated.
struct Rotation {
  bool by_window_tables = false;  ///< by the pass' tables for window layers
  bool rounds_once = false;       ///< in fp32, and only the result is rounded (OLMo)
};
/// Rotary embedding of heads [B, H, R, D] of a pass' last R positions.
at::Tensor rotate(const at::Tensor& x, const Pass& pass, const Rotation& how = {});

/// `f` of x [B, T, ...], of one sequence at a time where they decode together (for_each_of_batch).
template <typename F>
at::Tensor each_sequence(const at::Tensor& x, const F& f) {
  return x.size(1) > 1 ? f(x) : for_each_of_batch(x, f);
}

/// How a softmax layer attends.
struct Attention {
  double scale = 1;         ///< on the product of query and key
  std::int64_t window = 0;  ///< keys that a query sees, itself included; 0: all
  bool cached = true;       ///< false: whole sequences, differentiable
};

/// Softmax attention of queries [B, H, R, D], the last R positions, to what each sequence has seen
/// (remember): [B, H, R, D]. Through the pass' instruments where it has some.
at::Tensor attend(const at::Tensor& query, const std::vector<KeyValue>& seen,
                  const Attention& attention, const Pass& pass);

}  // namespace niah::models
