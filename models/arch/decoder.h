// The base of all architectures: a stack of blocks between an embedding and an output projection.
// The usual blocks are in blocks.h; the file of an architecture has its config, its mixers, and any
// blocks of its own.
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

/// The sequence mixer of a layer; its tensor names begin with `prefix` and a dot.
struct Mixer : torch::nn::Module {
  explicit Mixer(std::string prefix) : prefix(std::move(prefix)) {}
  /// x [B, T, d], normalised except in post-norm blocks → outputs for the last `rows` positions,
  /// [B, rows, d]. Adds all T positions to `states`.
  virtual at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                         std::int64_t rows) const = 0;
  /// The mixer's kind and cost, and the part that every row of its tensors belongs to.
  virtual MixerInfo describe() const = 0;

  std::string prefix;

 protected:
  /// Adds a linear layer or a norm as the child module `child`.
  std::shared_ptr<Linear> add_linear(TensorSource& source, const std::string& child,
                                     std::int64_t in, std::int64_t out, bool with_bias = false);
  std::shared_ptr<RmsNorm> add_norm(TensorSource& source, const std::string& child,
                                    std::int64_t size, double eps,
                                    NormRounding rounding = NormRounding::kBeforeWeight);
  /// Adds all rows of the given children (modules or parameters) to info.parts; children that this
  /// mixer does not have are skipped.
  void claim(MixerInfo& info,
             std::initializer_list<std::pair<Part, std::string_view>> children) const;
  /// Adds some rows of the linear layer `child` and of its bias; rows.tensor is filled in.
  void claim_rows(MixerInfo& info, Part part, const std::string& child, TensorRows rows) const;
};

/// All rows of a module's tensors as `part`; tensor names begin with `prefix` and a dot.
std::vector<PartRows> parts_of(Part part, const std::string& prefix,
                               const torch::nn::Module& module);

/// Sizes, names and factors of the parts that all architectures have.
struct DecoderShape {
  std::int64_t vocab = 0, d = 0, ff = 0;
  double eps = 1e-6;
  NormRounding rounding = NormRounding::kBeforeWeight;
  bool tied = false;  ///< whether the embedding serves as the output projection
  /// The prefix of all tensor names except the output projection's, and two module names.
  std::string prefix = "model", embedding = "embed_tokens", final_norm = "norm";
  double embedding_scale = 1, logits_scale = 1;  ///< factors; products round as activations do
  double logits_divisor = 1;                     ///< divisor of the logits, likewise rounded
  /// Factor on the outputs of mixer and MLP before they are added to the residual stream.
  double residual_scale = 1;
  bool mlp_bias = false;
};

/// A layer. How it combines mixer, MLP and norms depends on the architecture.
struct Block : torch::nn::Module {
  /// h [B, T, d] → [B, rows, d]. Adds all T positions to `states`, even with rows = 0.
  virtual at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                         std::int64_t rows) const = 0;
  virtual MixerInfo describe_mixer() const = 0;
  /// All rows of its tensors outside the mixer.
  virtual std::vector<PartRows> other_parts() const = 0;
};

/// Makes layer `index`; its tensor names begin with `prefix` and a dot.
using MakeBlock =
    std::function<std::shared_ptr<Block>(std::int64_t index, const std::string& prefix)>;

/// The model around the blocks. Fills in the sizes and parts in info(). With the default names of
/// DecoderShape, its modules are model.embed_tokens, model.layers.{i}, model.norm and lm_head.
class DecoderLM : public CausalLM {
 public:
  at::Tensor embed(const at::Tensor& ids) const override;
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override;
  at::Tensor head(const at::Tensor& hidden) const override;
  /// Includes the tables of `rotary_` if the model has a rotary embedding.
  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override;

 protected:
  DecoderLM(const DecoderShape& shape, std::int64_t layers, TensorSource& source,
            const MakeBlock& make_block);
  at::Device device() const;

  std::optional<RotaryEmbedding> rotary_;  ///< set by models with a rotary embedding
  bool rotates_in_fp32_ = false;           ///< heads are rotated in fp32, then rounded (OLMo)

 private:
  void describe_parts();

  std::string embedding_name_, norm_name_;
  double embedding_scale_, logits_scale_, logits_divisor_;
  std::shared_ptr<Embedding> embed_tokens_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::shared_ptr<RmsNorm> norm_;
  std::shared_ptr<Linear> lm_head_;  ///< null when tied
};

/// The description of a softmax mixer, sliding-window if `window` > 0; its `parts` are empty.
MixerInfo softmax_info(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window = 0);

/// The costs of a softmax mixer, and of a linear mixer that works in chunks of 64 tokens: updating
/// and reading the state, and the products within a chunk.
MixerCost softmax_cost(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window = 0);
MixerCost linear_cost(std::int64_t heads, std::int64_t key_dim, std::int64_t value_dim,
                      std::int64_t tail_values = 0);

/// Kinds of layers, by their names in a config.
template <typename Kind>
using LayerKinds = std::map<std::string, Kind>;

/// The kinds of `count` layers named by `types`, the list in a config field; empty if the list is.
/// `supported` tells in an error what the list may contain: "full_attention and conv". Throws
/// DataError for another name or length.
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

/// eos_token_id: null, a token id or a list of them. Throws DataError for an id that is not below
/// `vocab`.
std::vector<std::int64_t> read_eos_ids(ConfigReader& reader, std::int64_t vocab);

/// The range accepted for rope_theta, the base of rotary frequencies.
constexpr double kMinTheta = 1.0001, kMaxTheta = 1e15;

/// rope_theta of an architecture whose rotary embedding is never scaled: a field of its own, or
/// inside rope_parameters, as transformers 5 writes it. Throws DataError if there is scaling, or if
/// two values differ.
double read_plain_rope(ConfigReader& reader, const std::string& label, double fallback);

/// Declares without effect the fields about how a checkpoint was made or is served, which do not
/// affect what it computes.
void ignore_bookkeeping(ConfigReader& reader);

/// Throws DataError naming `kv_field` unless kv_heads divides heads.
void check_heads(const ConfigReader& reader, const char* kv_field, std::int64_t heads,
                 std::int64_t kv_heads);

}  // namespace niah::models
