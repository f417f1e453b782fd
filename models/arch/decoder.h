// What all architectures here have in common: a stack of pre-norm blocks, each a sequence mixer and
// a SwiGLU MLP, between an embedding and an output projection. An architecture's own file gives
// config, mixers and positions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/arch/layers.h"
#include "models/causal_lm.h"
#include "models/checkpoint/config_reader.h"

namespace niah::models {

/// A layer's sequence mixer (tensor prefix model.layers.{i}.self_attn).
struct Mixer : torch::nn::Module {
  /// x [B, T, d], normed → the mixer's output for the last `rows` positions, [B, rows, d]. Takes
  /// all T positions into `states`.
  virtual at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                         std::int64_t rows) const = 0;
};

/// Sizes of the common parts.
struct DecoderShape {
  std::int64_t vocab = 0, d = 0, ff = 0;
  double eps = 1e-6;
  NormRounding rounding = NormRounding::kBeforeWeight;
  bool tied = false;  ///< the output projection is the embedding
};

/// Makes the mixer of layer `index`, whose tensors start with `name`.
using MakeMixer =
    std::function<std::shared_ptr<Mixer>(std::int64_t index, const std::string& name)>;

/// One block: h + mixer(norm h), then + mlp(norm).
struct Block : torch::nn::Module {
  Block(const DecoderShape& shape, std::shared_ptr<Mixer> mixer, TensorSource& source,
        const std::string& name);
  /// h [B, T, d] → [B, rows, d].
  at::Tensor operator()(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                        std::int64_t rows) const;

  std::shared_ptr<RmsNorm> input_layernorm, post_attention_layernorm;
  std::shared_ptr<Mixer> self_attn;
  std::shared_ptr<SwiGlu> mlp;
};

/// The model around the mixers. Parameter names are model.embed_tokens, model.layers.{i},
/// model.norm, lm_head.
class DecoderLM : public CausalLM {
 public:
  at::Tensor embed(const at::Tensor& ids) const override;
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override;
  at::Tensor head(const at::Tensor& hidden) const override;

 protected:
  DecoderLM(const DecoderShape& shape, std::int64_t layers, TensorSource& source,
            const MakeMixer& make_mixer);
  at::Device device() const;

 private:
  std::shared_ptr<Embedding> embed_tokens_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<RmsNorm> norm_;
  std::shared_ptr<Linear> lm_head_;  ///< null when tied
};

/// A softmax layer of the usual tensor names, for CausalLM::softmax_layers.
SoftmaxLayer softmax_layer(std::int64_t index, std::int64_t heads, std::int64_t kv_heads,
                           std::int64_t head_dim, bool bias, std::int64_t window = 0);

/// Costs of a softmax mixer, and of a linear one that works in chunks of 64 tokens: what it adds to
/// the state and reads from it, and the products inside the chunk.
MixerCost softmax_cost(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window = 0);
MixerCost linear_cost(std::int64_t heads, std::int64_t key_dim, std::int64_t value_dim,
                      std::int64_t tail_values = 0);

/// eos_token_id: null, a token id or a list of them, each one of the `vocab` that the model has.
std::vector<std::int64_t> read_eos_ids(ConfigReader& reader, std::int64_t vocab);

/// What a base of rotary frequencies may be.
constexpr double kMinTheta = 1.0001, kMaxTheta = 1e15;

/// rope_theta of an architecture whose rotary embedding is never scaled: as a field of its own, or
/// in rope_parameters, where transformers 5 writes it. Refuses scaling, and two that differ.
double read_plain_rope(ConfigReader& reader, const std::string& label, double fallback);

/// Declares the fields that say how a checkpoint was made or is to be served, but not what it
/// computes.
void ignore_bookkeeping(ConfigReader& reader);

/// Refuses head counts that do not divide.
void check_heads(const ConfigReader& reader, const char* kv_field, std::int64_t heads,
                 std::int64_t kv_heads);

}  // namespace niah::models
