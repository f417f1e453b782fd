// The model in the order of the forward pass: config, MLP and mixture of experts, model (the mixers
// are in mamba2.h and grouped_attention.h, the blocks in blocks.h). Letters: B batch, T tokens of
// this pass, R wanted rows, d hidden size, f MLP width, E experts. Equations: Nemotron-H, arXiv
// 2504.03624, and its implementation in transformers, except for the lower bound on dt, which the
// latter applies in prefill only.
#include "models/arch/nemotron_h.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "models/arch/blocks.h"
#include "models/arch/grouped_attention.h"
#include "models/arch/mamba2.h"
#include "models/ops/experts.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kMamba, kAttention, kMlp, kMixture };

struct MixtureConfig {
  std::int64_t experts = 0, ff = 0, shared_ff = 0;
  std::int64_t latent = 0;  // width of the experts' input and output; 0: hidden size
  SigmoidRouting routing;
};

struct NemotronConfig {
  std::int64_t vocab, d, ff;
  std::vector<LayerKind> layers;
  GroupedAttentionShape attention;
  Mamba2Shape mamba;
  MixtureConfig mixture;
  bool mlp_bias;
  double eps;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;

  bool has(LayerKind kind) const {
    return std::find(layers.begin(), layers.end(), kind) != layers.end();
  }
};

std::vector<LayerKind> read_block_types(ConfigReader& reader) {
  static const std::map<std::string, LayerKind> kinds = {{"linear_attention", LayerKind::kMamba},
                                                         {"mamba", LayerKind::kMamba},
                                                         {"full_attention", LayerKind::kAttention},
                                                         {"attention", LayerKind::kAttention},
                                                         {"mlp", LayerKind::kMlp},
                                                         {"moe", LayerKind::kMixture}};
  std::vector<LayerKind> layers;
  for (const std::string& type : reader.text_list("layers_block_type")) {
    const auto found = kinds.find(type);
    if (found == kinds.end())
      reader.refuse("layers_block_type", fmt::format("'{}' is not supported; linear_attention, "
                                                     "full_attention, mlp and moe are",
                                                     type));
    layers.push_back(found->second);
  }
  return layers;
}

/// hybrid_override_pattern of older configs: one letter per layer.
std::vector<LayerKind> read_pattern(ConfigReader& reader) {
  static const std::map<char, LayerKind> kinds = {{'M', LayerKind::kMamba},
                                                  {'*', LayerKind::kAttention},
                                                  {'-', LayerKind::kMlp},
                                                  {'E', LayerKind::kMixture}};
  std::vector<LayerKind> layers;
  for (const char letter : reader.text("hybrid_override_pattern", "")) {
    const auto found = kinds.find(letter);
    if (found == kinds.end())
      reader.refuse("hybrid_override_pattern", "only the letters M, *, - and E are supported");
    layers.push_back(found->second);
  }
  return layers;
}

std::vector<LayerKind> read_layers(ConfigReader& reader) {
  const std::vector<LayerKind> named = read_block_types(reader), lettered = read_pattern(reader);
  if (named.empty() && lettered.empty())
    reader.refuse("layers_block_type", "it is missing, and so is hybrid_override_pattern");
  if (!named.empty() && !lettered.empty() && named != lettered)
    reader.refuse("hybrid_override_pattern", "it contradicts layers_block_type; remove one");
  const std::vector<LayerKind>& layers = named.empty() ? lettered : named;
  if (static_cast<std::int64_t>(layers.size()) > ConfigReader::kMaxCount)
    reader.refuse("layers_block_type", fmt::format("more than {} layers", ConfigReader::kMaxCount));
  return layers;
}

Mamba2Shape read_mamba(ConfigReader& reader, const NemotronConfig& c) {
  Mamba2Shape shape;
  shape.d = c.d;
  shape.heads = reader.count("mamba_num_heads", 128);
  shape.head_dim = reader.count("mamba_head_dim", 64);
  shape.groups = reader.count("n_groups", 8);
  shape.state = reader.count("ssm_state_size", 128);
  shape.taps = reader.count("conv_kernel", 4);
  shape.conv_bias = reader.boolean("use_conv_bias", true);
  shape.in_bias = shape.out_bias = reader.boolean("use_bias", false);
  shape.eps = c.eps;
  check_mamba2(reader, shape, "n_groups");
  reader.must_be("mamba_hidden_act", "silu", "the convolution is followed by silu");
  refuse_step_limit(reader);
  return shape;
}

GroupedAttentionShape read_attention(ConfigReader& reader, std::int64_t d) {
  GroupedAttentionShape shape;
  shape.d = d;
  shape.heads = reader.count("num_attention_heads", 32);
  const bool is_null = reader.has("num_key_value_heads");
  shape.kv_heads = reader.count("num_key_value_heads", is_null ? shape.heads : 8);
  check_heads(reader, "num_key_value_heads", shape.heads, shape.kv_heads);
  const std::int64_t older = reader.count("attention_head_dim", 128);
  shape.head_dim = reader.count("head_dim", older);
  if (reader.has("attention_head_dim") && older != shape.head_dim)
    reader.refuse("attention_head_dim",
                  fmt::format("{} contradicts head_dim, {}; remove one", older, shape.head_dim));
  shape.scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  return shape;
}

MixtureConfig read_mixture(ConfigReader& reader) {
  MixtureConfig c;
  c.experts = reader.count("n_routed_experts", 8);
  c.ff = reader.positive("moe_intermediate_size", 7688);
  c.shared_ff = reader.positive("moe_shared_expert_intermediate_size", 7688);
  c.latent = reader.integer("moe_latent_size", 0, 1, ConfigReader::kMaxSize);
  c.routing.groups = reader.count("n_group", 1);
  c.routing.chosen_groups = reader.count("topk_group", 1);
  c.routing.chosen = reader.count("num_experts_per_tok", 2);
  c.routing.normalised = reader.boolean("norm_topk_prob", true);
  c.routing.scale = reader.multiplier("routed_scaling_factor", 1);
  check_routing(reader, c.routing, c.experts, {});
  return c;
}

void declare_without_effect(ConfigReader& reader) {
  ignore_bookkeeping(reader);
  reader.without_effect({"attention_bias",
                         "chunk_size",
                         "expand",
                         "hidden_dropout",
                         "intermediate_size",
                         "mamba_proj_bias",
                         "mamba_ssm_cache_dtype",
                         "max_position_embeddings",
                         "moe_intermediate_size",
                         "moe_latent_size",
                         "moe_shared_expert_intermediate_size",
                         "moe_shared_expert_overlap",
                         "mtp_hybrid_override_pattern",
                         "mtp_layers_block_type",
                         "n_group",
                         "n_routed_experts",
                         "n_shared_experts",
                         "norm_eps",
                         "norm_topk_prob",
                         "num_experts_per_tok",
                         "num_hidden_layers",
                         "num_logits_to_keep",
                         "num_nextn_predict_layers",
                         "num_query_groups",
                         "output_router_logits",
                         "partial_rotary_factor",
                         "rescale_prenorm_residual",
                         "residual_in_fp32",
                         "rms_norm_eps",
                         "rope_parameters",
                         "rope_scaling",
                         "rope_theta",
                         "routed_scaling_factor",
                         "router_aux_loss_coef",
                         "sliding_window",
                         "tie_word_embeddings",
                         "time_step_rank",
                         "topk_group",
                         "use_mamba_kernels"});
}

NemotronConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  NemotronConfig c;
  c.vocab = reader.positive("vocab_size", 131072);
  c.d = reader.positive("hidden_size", 4096);
  c.ff = reader.positive("intermediate_size", 21504);
  c.layers = read_layers(reader);
  c.eps = reader.number("layer_norm_epsilon", 1e-5, 0, 1);
  c.attention = read_attention(reader, c.d);
  c.mamba = read_mamba(reader, c);
  if (c.has(LayerKind::kMixture)) c.mixture = read_mixture(reader);
  c.mlp_bias = reader.boolean("mlp_bias", false);
  c.max_positions = reader.positions("max_position_embeddings", 4096);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("mlp_hidden_act", "relu2", "MLPs and experts are up, relu squared, down");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  declare_without_effect(reader);
  reader.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const NemotronConfig& c) {
  std::map<std::string, std::string> settings = {{"layer_norm_epsilon", fmt::to_string(c.eps)}};
  if (c.has(LayerKind::kMamba)) add_settings(settings, c.mamba);
  if (c.has(LayerKind::kAttention)) add_settings(settings, c.attention);
  if (c.has(LayerKind::kMlp)) settings["intermediate_size"] = fmt::to_string(c.ff);
  if (c.has(LayerKind::kMlp) || c.has(LayerKind::kMixture))
    settings["mlp_bias"] = fmt::to_string(c.mlp_bias);
  if (!c.has(LayerKind::kMixture)) return settings;
  settings["experts"] = fmt::to_string(c.mixture.experts);
  settings["experts: width"] = fmt::to_string(c.mixture.ff);
  settings["experts: shared width"] = fmt::to_string(c.mixture.shared_ff);
  settings["experts: latent size"] = fmt::to_string(c.mixture.latent);
  add_settings(settings, c.mixture.routing);
  return settings;
}

DecoderShape shape_of(const NemotronConfig& c, const TensorSource& source) {
  const bool renamed = source.has("model.embeddings.weight");
  return {.vocab = c.vocab,
          .d = c.d,
          .eps = c.eps,
          .rounding = NormRounding::kAfterWeight,
          .prefix = renamed ? "model" : "backbone",
          .embedding = "embeddings",
          .final_norm = "norm_f"};
}

// ------------------------------------------------------------------------------------ MLP, experts

/// down(relu(up x)^2).
struct SquaredMlp : FeedForward {
  SquaredMlp(TensorSource& source, const std::string& name, std::int64_t size, std::int64_t width,
             bool with_bias) {
    const auto linear = [&](const char* part, std::int64_t in, std::int64_t out) {
      return register_module(
          part, std::make_shared<Linear>(source, name + "." + part, in, out, with_bias));
    };
    up_proj = linear("up_proj", size, width);
    down_proj = linear("down_proj", width, size);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    return (*down_proj)(at::relu((*up_proj)(x)).square());
  }

  std::shared_ptr<Linear> up_proj, down_proj;
};

/// shared(x) + up(sum over the chosen experts of weight * expert(down(x))), where down and up
/// project to and from a narrower latent; without a latent both are the identity.
struct Mixture : FeedForward {
  Mixture(const NemotronConfig& config, TensorSource& source, const std::string& name)
      : c(config.mixture) {
    const auto mlp = [&](const std::string& part, std::int64_t size, std::int64_t width) {
      return std::make_shared<SquaredMlp>(source, name + "." + part, size, width, config.mlp_bias);
    };
    const std::int64_t size = c.latent > 0 ? c.latent : config.d;
    gate = register_module(
        "gate", std::make_shared<SigmoidRouter>(source, name + ".gate", c.experts, config.d));
    const auto list = register_module("experts", std::make_shared<torch::nn::Module>("experts"));
    for (std::int64_t i = 0; i < c.experts; ++i) {
      experts.push_back(mlp("experts." + std::to_string(i), size, c.ff));
      list->register_module(std::to_string(i), experts.back());
    }
    shared_experts =
        register_module("shared_experts", mlp("shared_experts", config.d, c.shared_ff));
    if (c.latent == 0) return;
    fc1_latent_proj = register_module(
        "fc1_latent_proj", std::make_shared<Linear>(source, name + ".fc1_latent_proj", config.d,
                                                    c.latent, config.mlp_bias));
    fc2_latent_proj = register_module(
        "fc2_latent_proj", std::make_shared<Linear>(source, name + ".fc2_latent_proj", c.latent,
                                                    config.d, config.mlp_bias));
  }

  std::vector<PartRows> parts(const std::string& prefix) const override {
    return parts_of_mixture(prefix, *this);
  }

  at::Tensor operator()(const at::Tensor& x) const override {
    const at::Tensor latent = fc1_latent_proj ? (*fc1_latent_proj)(x) : x;
    const at::Tensor mixed =
        mix_experts(latent, (*gate)(x, c.routing), c.experts,
                    [&](std::int64_t expert, const at::Tensor& tokens) {
                      return (*experts[static_cast<std::size_t>(expert)])(tokens);
                    });
    return (fc2_latent_proj ? (*fc2_latent_proj)(mixed) : mixed) + (*shared_experts)(x);
  }

  MixtureConfig c;
  std::shared_ptr<SigmoidRouter> gate;
  std::vector<std::shared_ptr<SquaredMlp>> experts;
  std::shared_ptr<SquaredMlp> shared_experts;
  std::shared_ptr<Linear> fc1_latent_proj, fc2_latent_proj;  // down, up; null without a latent
};

// ------------------------------------------------------------------------------------------- model

std::shared_ptr<Block> make_block(const NemotronConfig& c, const DecoderShape& shape,
                                  LayerKind kind, TensorSource& source, const std::string& prefix) {
  const std::string name = prefix + ".mixer";
  const auto with_mixer = [&](std::shared_ptr<Mixer> mixer) {
    return std::make_shared<MixerBlock>(shape, std::move(mixer), source, prefix);
  };
  const auto alone = [&](std::shared_ptr<FeedForward> feed_forward) {
    return std::make_shared<FeedForwardBlock>(shape, kind == LayerKind::kMixture,
                                              std::move(feed_forward), source, prefix);
  };
  switch (kind) {
    case LayerKind::kMamba:
      return with_mixer(std::make_shared<Mamba2Mixer>(c.mamba, source, name));
    case LayerKind::kAttention:
      return with_mixer(std::make_shared<GroupedAttention>(c.attention, source, name));
    case LayerKind::kMlp:
      return alone(std::make_shared<SquaredMlp>(source, name, c.d, c.ff, c.mlp_bias));
    case LayerKind::kMixture:
      return alone(std::make_shared<Mixture>(c, source, name));
  }
  return nullptr;
}

class NemotronH : public DecoderLM {
 public:
  NemotronH(const NemotronConfig& config, TensorSource& source)
      : NemotronH(config, shape_of(config, source), source) {}

 private:
  NemotronH(const NemotronConfig& config, const DecoderShape& shape, TensorSource& source)
      : DecoderLM(shape, static_cast<std::int64_t>(config.layers.size()), source,
                  [&](std::int64_t index, const std::string& prefix) {
                    return make_block(config, shape, config.layers[static_cast<std::size_t>(index)],
                                      source, prefix);
                  }) {
    source.ignore("mtp.");
    info_.architecture = "nemotron_h";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    if (config.has(LayerKind::kMixture))
      info_.expert_share = static_cast<double>(config.mixture.routing.chosen) /
                           static_cast<double>(config.mixture.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_nemotron_h(const nlohmann::json& config, const std::string& label,
                                          TensorSource& source) {
  return std::make_shared<NemotronH>(read_config(config, label), source);
}

}  // namespace niah::models
