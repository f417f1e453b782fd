// What architectures have in common: a stack of blocks between an embedding and an output
// projection. The usual blocks are in blocks.h; an architecture's own file gives config, mixers,
// and blocks of another shape.
#pragma once

#include <fmt/format.h>
#include <torch/nn/module.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/arch/layers.h"
#include "models/arch/rope.h"
#include "models/causal_lm.h"
#include "models/checkpoint/config_reader.h"

namespace niah::models {

/// A layer's sequence mixer, whose tensors' names begin with `prefix` and a dot.
struct Mixer : torch::nn::Module {
  explicit Mixer(std::string prefix) : prefix(std::move(prefix)) {}
  /// x [B, T, d], normed → the mixer's output for the last `rows` positions, [B, rows, d]. Takes
  /// all T positions into `states`.
  virtual at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                         std::int64_t rows) const = 0;
  /// What it is, what it costs, and every row of its tensors.
  virtual MixerInfo describe() const = 0;

  std::string prefix;

 protected:
  /// A linear layer, or a norm, as the child of this name.
  std::shared_ptr<Linear> add_linear(TensorSource& source, const std::string& child,
                                     std::int64_t in, std::int64_t out, bool with_bias = false);
  std::shared_ptr<RmsNorm> add_norm(TensorSource& source, const std::string& child,
                                    std::int64_t size, double eps,
                                    NormRounding rounding = NormRounding::kBeforeWeight);
  /// Adds all rows of the children of these names, modules or parameters; a name that this mixer
  /// does not have adds nothing.
  void claim(MixerInfo& info,
             std::initializer_list<std::pair<Part, std::string_view>> children) const;
  /// Adds some rows of the linear layer `child`, of its bias too: `rows` without a tensor's name.
  void claim_rows(MixerInfo& info, Part part, const std::string& child, TensorRows rows) const;
};

/// All rows of a module's tensors, whose names begin with `prefix` and a dot.
std::vector<PartRows> parts_of(Part part, const std::string& prefix,
                               const torch::nn::Module& module);
/// Sizes of the common parts.
struct DecoderShape {
  std::int64_t vocab = 0, d = 0, ff = 0;
  double eps = 1e-6;
  NormRounding rounding = NormRounding::kBeforeWeight;
  bool tied = false;  ///< the output projection is the embedding
  /// What all names but the output projection's begin with, and the names of two tensors.
  std::string prefix = "model", embedding = "embed_tokens", final_norm = "norm";
  double embedding_scale = 1, logits_scale = 1;  ///< factors; each product rounds as activations
  double logits_divisor = 1;                     ///< logits are divided by it, and rounded
  /// What a mixer and an MLP give, times this, is added to the residual stream.
  double residual_scale = 1;
  bool mlp_bias = false;
};

/// A layer: how mixer, MLP and norms are put together differs between architectures.
struct Block : torch::nn::Module {
  /// h [B, T, d] → [B, rows, d]. Takes all T positions into `states`, also with rows = 0.
  virtual at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                         std::int64_t rows) const = 0;
  virtual MixerInfo describe_mixer() const = 0;
  /// Every row of its tensors outside of the mixer.
  virtual std::vector<PartRows> other_parts() const = 0;
};

/// Makes layer `index`, whose tensors' names begin with `prefix` and a dot.
using MakeBlock =
    std::function<std::shared_ptr<Block>(std::int64_t index, const std::string& prefix)>;

/// The model around the blocks; it fills in what info() says of them. Parameter names are,
/// with the shape's prefix, model.embed_tokens, model.layers.{i}, model.norm; and lm_head.
class DecoderLM : public CausalLM {
 public:
  at::Tensor embed(const at::Tensor& ids) const override;
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override;
  at::Tensor head(const at::Tensor& hidden) const override;
  /// With the tables of `rotary_`, where the model has such.
  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override;

 protected:
  DecoderLM(const DecoderShape& shape, std::int64_t layers, TensorSource& source,
            const MakeBlock& make_block);
  at::Device device() const;

  std::optional<RotaryEmbedding> rotary_;  ///< set by models of which a layer looks at positions
  bool rotates_in_fp32_ = false;           ///< only the rotated heads are rounded (OLMo)

 private:
  void describe_parts();

  std::string embedding_name_, norm_name_;
  double embedding_scale_, logits_scale_, logits_divisor_;
  std::shared_ptr<Embedding> embed_tokens_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<RmsNorm> norm_;
  std::shared_ptr<Linear> lm_head_;  ///< null when tied
};

/// A softmax mixer with projections q_proj, k_proj, v_proj, o_proj and norms q_norm, k_norm,
/// without its parts; with a window, of a sliding-window one.
MixerInfo softmax_info(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window = 0);

/// Costs of a softmax mixer, and of a linear one that works in chunks of 64 tokens: what it adds to
/// the state and reads from it, and the products inside the chunk.
MixerCost softmax_cost(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window = 0);
MixerCost linear_cost(std::int64_t heads, std::int64_t key_dim, std::int64_t value_dim,
                      std::int64_t tail_values = 0);

/// Kinds of layers, by what a config calls them.
template <typename Kind>
using LayerKinds = std::map<std::string, Kind>;

/// The kinds that `types`, the list of a field, names: as many as `count` layers, or none where the
/// list is empty. `supported` says in a refusal what may be in it: "full_attention and conv".
template <typename Kind>
std::vector<Kind> kinds_of_layers(const ConfigReader& reader, const std::string& field,
                                  const std::vector<std::string>& types, std::int64_t count,
                                  const LayerKinds<Kind>& kinds, const std::string& supported) {
  std::vector<Kind> layers;
  for (const std::string& type : types) {
    const auto found = kinds.find(type);
    if (found == kinds.end())
      reader.refuse(field, fmt::format("'{}' is not supported; {} are", type, supported));
    layers.push_back(found->second);
  }
  if (!layers.empty() && static_cast<std::int64_t>(layers.size()) != count)
    reader.refuse(field,
                  fmt::format("{} entries for num_hidden_layers = {}", layers.size(), count));
  return layers;
}

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
