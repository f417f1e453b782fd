// The model in the order of the forward pass: config, lightning mixer, mixture of experts, block
// (whose residual is the normed stream), model. The softmax mixer is in grouped_attention.h.
// Letters: B batch, T tokens of this pass, R wanted rows, d hidden size, H heads, D head size, E
// experts. Equations: MiniMax-01, arXiv 2501.08313, and its implementation in transformers.
#include "models/arch/minimax.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "models/arch/blocks.h"
#include "models/arch/grouped_attention.h"
#include "models/arch/rope.h"
#include "models/ops/experts.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/projection.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kLightning, kAttention };

/// Factors of a residual sum: alpha * stream + beta * update.
struct Factors {
  double alpha = 1, beta = 1;
};

struct MiniMaxConfig {
  std::int64_t vocab, d, ff, experts, chosen;
  std::vector<LayerKind> layers;
  GroupedAttentionShape attention;
  Factors attention_factors, lightning_factors, mlp_factors;
  bool tied;
  double eps;
  Rope rope;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  auto layers = kinds_of_layers<LayerKind>(
      reader, "layer_types", reader.text_list("layer_types"), count,
      {{"linear_attention", LayerKind::kLightning}, {"full_attention", LayerKind::kAttention}},
      "linear_attention and full_attention");
  if (!layers.empty()) return layers;
  for (std::int64_t i = 0; i < count; ++i)
    layers.push_back(i % 2 == 0 ? LayerKind::kAttention : LayerKind::kLightning);
  return layers;
}

MiniMaxConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  const auto factors = [&](const std::string& name) {
    return Factors{reader.multiplier(name + "_alpha_factor", 1),
                   reader.multiplier(name + "_beta_factor", 1)};
  };
  MiniMaxConfig c;
  c.vocab = reader.positive("vocab_size", 32000);
  c.d = reader.positive("hidden_size", 4096);
  c.ff = reader.positive("intermediate_size", 14336);
  c.layers = read_layers(reader);
  c.attention = read_grouped_attention(reader, c.d, 8, /*has_head_dim=*/true);
  c.eps = reader.number("rms_norm_eps", 1e-5, 0, 1);
  c.max_positions = reader.positions("max_position_embeddings", 131072);
  c.rope = read_rope(reader, label,
                     {.head_dim = c.attention.head_dim,
                      .max_positions = c.max_positions,
                      .theta = 1e6,
                      .types = {"default"}});
  c.attention.rotated = c.rope.width;
  c.attention_factors = factors("full_attn");
  c.lightning_factors = factors("linear_attn");
  c.mlp_factors = factors("mlp");
  c.experts = reader.count("num_local_experts", 8);
  c.chosen = reader.count("num_experts_per_tok", 2);
  if (c.chosen > c.experts)
    reader.refuse("num_experts_per_tok",
                  fmt::format("there are {} experts, found {}", c.experts, c.chosen));
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "experts are SwiGLUs");
  reader.must_be("sliding_window", nullptr, "attention sees everything");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.without_effect(
      {"block_size", "output_router_logits", "router_aux_loss_coef", "router_jitter_noise"});
  reader.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const MiniMaxConfig& c) {
  const auto shown = [](const Factors& f) { return fmt::format("{}, {}", f.alpha, f.beta); };
  std::map<std::string, std::string> settings = {
      {"intermediate_size", fmt::to_string(c.ff)},
      {"num_local_experts", fmt::to_string(c.experts)},
      {"num_experts_per_tok", fmt::to_string(c.chosen)},
      {"tie_word_embeddings", fmt::to_string(c.tied)},
      {"rms_norm_eps", fmt::to_string(c.eps)},
      {"rope_theta", fmt::to_string(c.rope.theta)},
      {"full_attn factors", shown(c.attention_factors)},
      {"linear_attn factors", shown(c.lightning_factors)},
      {"mlp factors", shown(c.mlp_factors)}};
  add_settings(settings, c.attention);
  return settings;
}

DecoderShape shape_of(const MiniMaxConfig& c) {
  return {.vocab = c.vocab, .d = c.d, .eps = c.eps, .tied = c.tied};
}

// --------------------------------------------------------------------------------- lightning mixer

/// Decay slopes [H], which decrease with the head index and with `depth`, 0 in the first layer to 1
/// in the last.
at::Tensor slopes_of(std::int64_t heads, double depth) {
  std::vector<float> slopes;
  for (std::int64_t h = 0; h < heads; ++h)
    slopes.push_back(static_cast<float>(
        std::pow(2.0, -8.0 * static_cast<double>(h + 1) / static_cast<double>(heads)) *
        (1 - depth + 1e-5)));
  return torch::tensor(slopes);
}

struct LightningMixer : Mixer {
  LightningMixer(const MiniMaxConfig& config, std::int64_t index, TensorSource& source,
                 const std::string& name)
      : Mixer(name), heads(config.attention.heads), head_dim(config.attention.head_dim) {
    const std::int64_t wide = heads * head_dim;
    constexpr double kNormEps = 1e-6;  // independent of rms_norm_eps
    qkv_proj = add_linear(source, "qkv_proj", config.d, 3 * wide);
    out_proj = add_linear(source, "out_proj", wide, config.d);
    output_gate = add_linear(source, "output_gate", config.d, wide);
    norm = add_norm(source, "norm", wide, kNormEps);
    const auto last = static_cast<double>(config.layers.size() - 1);
    slopes =
        slopes_of(heads, static_cast<double>(index) / (last + 1e-5)).to(qkv_proj->weight.device());
    // Computed from the slopes by transformers, and saved with the weights.
    for (const char* computed : {"slope_rate", "query_decay", "key_decay", "diagonal_decay"})
      source.ignore(name + "." + computed);
  }

  /// x [B, T, d] → [B, R, d].
  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const auto qkv =  // 3 x [B, H, T, D]
        split_heads(swish((*qkv_proj)(x)), 3 * head_dim).chunk(3, -1);
    const LightningResult result = lightning_attention(qkv[0], qkv[1], qkv[2], slopes, /*scale=*/1,
                                                       states.joined(&RecurrentState::recurrent));
    states.store(&RecurrentState::recurrent, result.state);
    if (rows == 0) return x.narrow(1, 0, 0);

    const at::Tensor o = merge_heads(result.output.narrow(2, pass.tokens - rows, rows));
    return (*out_proj)(sigmoid_product((*norm)(o), (*output_gate)(last_rows(x, rows))));
  }

  /// In qkv_proj, the rows of a head are its query, its key and its value.
  MixerInfo describe() const override {
    MixerInfo info;
    info.letter = 'L';
    info.name = "lightning";
    info.cost = linear_cost(heads, head_dim, head_dim);
    std::int64_t first = 0;
    for (const Part part : {Part::kQuery, Part::kKey, Part::kValue}) {
      claim_rows(info, part, "qkv_proj", {"", first, head_dim, 3 * head_dim, heads});
      first += head_dim;
    }
    claim(info, {{Part::kOutput, "out_proj"}, {Part::kGate, "output_gate"}, {Part::kNorm, "norm"}});
    return info;
  }

  std::int64_t heads, head_dim;
  std::shared_ptr<Linear> qkv_proj, out_proj, output_gate;
  std::shared_ptr<RmsNorm> norm;
  at::Tensor slopes;  // [H]
};

// ----------------------------------------------------------------------------------------- experts

struct Mixture : FeedForward {
  Mixture(const MiniMaxConfig& c, TensorSource& source, const std::string& name)
      : chosen(c.chosen) {
    const auto router = register_module("gate", std::make_shared<torch::nn::Module>("gate"));
    gate = router->register_parameter("weight",
                                      source.tensor(name + ".gate.weight", {c.experts, c.d}));
    experts = register_module("experts", std::make_shared<GatedExperts>(
                                             source, name + ".experts", c.experts, c.d, c.ff,
                                             /*is_fused=*/false, GatedNames{"w1", "w3", "w2"}));
  }

  std::vector<PartRows> parts(const std::string& prefix) const override {
    return parts_of_mixture(prefix, *this);
  }

  at::Tensor operator()(const at::Tensor& x) const override {
    const Routing routing =
        route_by_softmax(project(x, gate), chosen, /*normalised=*/true, at::kFloat);
    return (*experts)(x, routing);
  }

  std::int64_t chosen;
  at::Tensor gate;  // [E, d]
  std::shared_ptr<GatedExperts> experts;
};

// ------------------------------------------------------------------------------------------- block

/// x = norm(h), u = norm(alpha x + beta mixer(x)); the output is alpha' u + beta' mixture(u).
struct MiniMaxBlock : Block {
  MiniMaxBlock(const MiniMaxConfig& c, std::int64_t index, TensorSource& source,
               const std::string& prefix)
      : prefix(prefix), mlp_factors(c.mlp_factors) {
    const auto norm = [&](const char* part) {
      return register_module(part,
                             std::make_shared<RmsNorm>(source, prefix + "." + part, c.d, c.eps));
    };
    const bool attends = c.layers[static_cast<std::size_t>(index)] == LayerKind::kAttention;
    const std::string name = prefix + ".self_attn";
    factors = attends ? c.attention_factors : c.lightning_factors;
    if (attends)
      self_attn = std::make_shared<GroupedAttention>(c.attention, source, name);
    else
      self_attn = std::make_shared<LightningMixer>(c, index, source, name);
    register_module("self_attn", self_attn);
    block_sparse_moe = register_module(
        "block_sparse_moe", std::make_shared<Mixture>(c, source, prefix + ".block_sparse_moe"));
    input_layernorm = norm("input_layernorm");
    post_attention_layernorm = norm("post_attention_layernorm");
  }

  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const auto sum = [](const at::Tensor& stream, const at::Tensor& added, const Factors& f) {
      return stream * f.alpha + added * f.beta;
    };
    const at::Tensor x = (*input_layernorm)(h);
    const at::Tensor mixed = self_attn->mix(x, states, pass, rows);
    if (rows == 0) return mixed;
    const at::Tensor u = (*post_attention_layernorm)(sum(last_rows(x, rows), mixed, factors));
    return sum(u, (*block_sparse_moe)(u), mlp_factors);
  }

  MixerInfo describe_mixer() const override { return self_attn->describe(); }

  std::vector<PartRows> other_parts() const override {
    return with_norms(block_sparse_moe->parts(prefix + ".block_sparse_moe"), prefix,
                      {{"input_layernorm", input_layernorm},
                       {"post_attention_layernorm", post_attention_layernorm}});
  }

  std::string prefix;
  Factors factors, mlp_factors;
  std::shared_ptr<RmsNorm> input_layernorm, post_attention_layernorm;
  std::shared_ptr<Mixer> self_attn;
  std::shared_ptr<Mixture> block_sparse_moe;
};

// ------------------------------------------------------------------------------------------- model

class MiniMax : public DecoderLM {
 public:
  MiniMax(const MiniMaxConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  [&](std::int64_t index, const std::string& prefix) {
                    return std::make_shared<MiniMaxBlock>(config, index, source, prefix);
                  }) {
    rotary_.emplace(config.rope, device());
    info_.architecture = "minimax";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    info_.expert_share = static_cast<double>(config.chosen) / static_cast<double>(config.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_minimax(const nlohmann::json& config, const std::string& label,
                                       TensorSource& source) {
  return std::make_shared<MiniMax>(read_config(config, label), source);
}

}  // namespace niah::models
