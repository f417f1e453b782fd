// The models in the order of the forward pass: config, MLPs and experts, block, model. The mixers
// are in mamba2.h and grouped_attention.h. Letters: B batch, T tokens of this pass, R wanted rows,
// d hidden size, f MLP width, E experts. Equations: the implementations in transformers. Bamba
// (IBM, 2024) is Granite 4 without its four factors, with half of each head rotated, and with other
// tensor names.
#include "models/arch/granite_hybrid.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/base/json_integer.h"
#include "models/arch/blocks.h"
#include "models/arch/grouped_attention.h"
#include "models/arch/mamba2.h"
#include "models/arch/rope.h"
#include "models/ops/experts.h"
#include "models/ops/gate.h"
#include "models/ops/projection.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

enum class LayerKind { kMamba, kAttention };

struct GraniteConfig {
  std::string architecture;
  std::int64_t vocab, d, ff;
  std::vector<LayerKind> layers;
  GroupedAttentionShape attention;
  Mamba2Shape mamba;
  std::int64_t experts = 0, chosen = 0, expert_ff = 0;
  double embedding_factor = 1, residual_factor = 1, logits_divisor = 1;
  bool mlp_bias = false, tied = false;
  double eps;
  std::optional<Rope> rope;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;

  bool is_bamba() const { return architecture == "bamba"; }
};

/// Reads the fields that both models share.
GraniteConfig read_common(ConfigReader& reader, const char* architecture) {
  GraniteConfig c;
  c.architecture = architecture;
  c.vocab = reader.positive("vocab_size", c.is_bamba() ? 128000 : 32000);
  c.d = reader.positive("hidden_size", 4096);
  c.eps = reader.number("rms_norm_eps", c.is_bamba() ? 1e-5 : 1e-6, 0, 1);
  c.attention = read_grouped_attention(reader, c.d, c.is_bamba() ? 8 : 0, /*has_head_dim=*/false);
  c.attention.bias = reader.boolean("attention_bias", false);
  c.mamba = read_mamba2(reader, c.d, read_mamba2_inner(reader, c.d));
  c.mamba.in_bias = c.mamba.out_bias = reader.boolean("mamba_proj_bias", false);
  c.mamba.eps = c.eps;
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.max_positions = reader.positions("max_position_embeddings", c.is_bamba() ? 262144 : 2048);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("sliding_window", nullptr, "attention sees everything");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.without_effect({"num_logits_to_keep", "output_router_logits", "router_aux_loss_coef"});
  return c;
}

std::vector<LayerKind> read_layer_types(ConfigReader& reader) {
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  const auto layers =
      kinds_of_layers<LayerKind>(reader, "layer_types", reader.text_list("layer_types"), count,
                                 {{"linear_attention", LayerKind::kMamba},
                                  {"mamba", LayerKind::kMamba},
                                  {"full_attention", LayerKind::kAttention},
                                  {"attention", LayerKind::kAttention}},
                                 "linear_attention and full_attention, or mamba and attention,");
  if (!layers.empty()) return layers;
  return std::vector(static_cast<std::size_t>(count), LayerKind::kMamba);
}

void read_experts(ConfigReader& reader, GraniteConfig& c) {
  c.ff = reader.positive("shared_intermediate_size", 1024);
  c.experts = reader.integer("num_local_experts", 8, 0, ConfigReader::kMaxCount);
  c.chosen = reader.count("num_experts_per_tok", 2);
  c.expert_ff = reader.positive("intermediate_size", 11008);
  if (c.experts > 0 && c.chosen > c.experts)
    reader.refuse("num_experts_per_tok",
                  fmt::format("there are {} experts, found {}", c.experts, c.chosen));
}

GraniteConfig read_granite(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  GraniteConfig c = read_common(reader, "granitemoehybrid");
  c.layers = read_layer_types(reader);
  read_experts(reader, c);
  c.embedding_factor = reader.multiplier("embedding_multiplier", 1);
  c.residual_factor = reader.multiplier("residual_multiplier", 1);
  c.logits_divisor = reader.multiplier("logits_scaling", 1);
  c.attention.scale = reader.multiplier("attention_multiplier", 1);
  if (reader.one_of("position_embedding_type", "nope", {"nope", "rope"}) == "rope") {
    c.rope = read_rope(
        reader, label,
        {.head_dim = c.attention.head_dim, .max_positions = c.max_positions, .types = {"default"}});
    c.attention.rotated = c.rope->width;
  }
  reader.must_be("normalization_function", "rmsnorm", "norms are RMSNorm");
  reader.without_effect({"init_method", "partial_rotary_factor", "rope_parameters", "rope_scaling",
                         "rope_theta", "use_mamba_kernels"});
  reader.finish();
  return c;
}

/// attn_layer_indices: the indices of the softmax layers, from 0.
std::vector<LayerKind> read_layer_indices(ConfigReader& reader) {
  constexpr const char* kField = "attn_layer_indices";
  const std::int64_t count = reader.count("num_hidden_layers", 32);
  std::vector<LayerKind> layers(static_cast<std::size_t>(count), LayerKind::kMamba);
  const nlohmann::json& value = reader.raw(kField);
  if (value.is_null()) return layers;
  if (!value.is_array()) reader.refuse(kField, "a list of layers was expected");
  for (const nlohmann::json& index : value) {
    const bool fits = index.is_number_integer() && is_integer_of<std::int64_t>(index) &&
                      index.get<std::int64_t>() >= 0 && index.get<std::int64_t>() < count;
    if (!fits)
      reader.refuse(kField, fmt::format("layers from 0 to {} were expected, found {}", count - 1,
                                        index.dump()));
    layers[index.get<std::size_t>()] = LayerKind::kAttention;
  }
  return layers;
}

GraniteConfig read_bamba(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  GraniteConfig c = read_common(reader, "bamba");
  c.layers = read_layer_indices(reader);
  c.ff = reader.positive("intermediate_size", 14336);
  c.mlp_bias = reader.boolean("mlp_bias", false);
  c.rope = read_rope(reader, label,
                     {.head_dim = c.attention.head_dim,
                      .max_positions = c.max_positions,
                      .partial = 0.5,
                      .may_be_partial = true,
                      .types = {"default"}});
  c.attention.rotated = c.rope->width;
  reader.must_be("attn_rotary_emb", c.rope->width, "it is what partial_rotary_factor says");
  reader.without_effect({"z_loss_coefficient"});
  reader.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const GraniteConfig& c) {
  std::map<std::string, std::string> settings = {
      {"MLP width", fmt::to_string(c.ff)},
      {"mlp_bias", fmt::to_string(c.mlp_bias)},
      {"tie_word_embeddings", fmt::to_string(c.tied)},
      {"rms_norm_eps", fmt::to_string(c.eps)},
      {"embedding_multiplier", fmt::to_string(c.embedding_factor)},
      {"residual_multiplier", fmt::to_string(c.residual_factor)},
      {"logits_scaling", fmt::to_string(c.logits_divisor)},
      {"rope_theta", c.rope ? fmt::to_string(c.rope->theta) : "no rotary embedding"}};
  const auto has = [&](LayerKind kind) {
    return std::find(c.layers.begin(), c.layers.end(), kind) != c.layers.end();
  };
  if (has(LayerKind::kMamba)) add_settings(settings, c.mamba);
  if (has(LayerKind::kAttention)) add_settings(settings, c.attention);
  settings["experts"] = fmt::to_string(c.experts);
  if (c.experts == 0) return settings;
  settings["experts: width"] = fmt::to_string(c.expert_ff);
  settings["experts: a token's"] = fmt::to_string(c.chosen);
  return settings;
}

DecoderShape shape_of(const GraniteConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .eps = c.eps,
          .tied = c.tied,
          .final_norm = c.is_bamba() ? "final_layernorm" : "norm",
          .embedding_scale = c.embedding_factor,
          .logits_divisor = c.logits_divisor};
}

// ----------------------------------------------------------------------------------- MLPs, experts

/// Granite's MLP, down(silu(gate x) * up x), with gate and up fused in input_linear [2f, d].
struct FusedMlp : FeedForward {
  FusedMlp(TensorSource& source, const std::string& name, std::int64_t size, std::int64_t width) {
    const auto linear = [&](const char* part, std::int64_t in, std::int64_t out) {
      return register_module(part, std::make_shared<Linear>(source, name + "." + part, in, out));
    };
    input_linear = linear("input_linear", size, 2 * width);
    output_linear = linear("output_linear", width, size);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    return gated_product(x, input_linear->weight, output_linear->weight);
  }

  std::shared_ptr<Linear> input_linear, output_linear;
};

/// The weighted sum over the experts that the router chooses.
struct Mixture : FeedForward {
  Mixture(const GraniteConfig& c, TensorSource& source, const std::string& name)
      : experts(c.experts), chosen(c.chosen) {
    const auto child = [&](torch::nn::Module& outer, const char* part) {
      return outer.register_module(part, std::make_shared<torch::nn::Module>(part));
    };
    const auto weight = [&](torch::nn::Module& of, const std::string& part, at::IntArrayRef sizes) {
      return of.register_parameter("weight", source.tensor(name + "." + part + ".weight", sizes));
    };
    router = weight(*child(*child(*this, "router"), "layer"), "router.layer", {experts, c.d});
    gate_up =
        weight(*child(*this, "input_linear"), "input_linear", {experts, 2 * c.expert_ff, c.d});
    down = weight(*child(*this, "output_linear"), "output_linear", {experts, c.d, c.expert_ff});
  }

  std::vector<PartRows> parts(const std::string& prefix) const override {
    std::vector<PartRows> all = parts_of(Part::kMlp, prefix, *this);
    for (PartRows& rows : all)
      if (rows.rows.tensor != prefix + ".router.layer.weight") rows.part = Part::kExpert;
    return all;
  }

  at::Tensor operator()(const at::Tensor& x) const override {
    return mix_gated_experts(x, route_by_chosen_softmax(project(x, router), chosen), gate_up, down);
  }

  std::int64_t experts, chosen;
  at::Tensor router, gate_up, down;  // [E, d], [E, 2f, d], [E, d, f]
};

// ------------------------------------------------------------------------------------------- block

/// Names of modules in a block.
struct Names {
  const char *mlp, *mlp_norm;
};

Names names_of(const GraniteConfig& c) {
  return c.is_bamba() ? Names{"feed_forward", "pre_ff_layernorm"}
                      : Names{"shared_mlp", "post_attention_layernorm"};
}

/// y = h + r mixer(norm(h)), then y + r (experts(u) + mlp(u)) with u = norm(y).
struct GraniteBlock : Block {
  GraniteBlock(const GraniteConfig& c, LayerKind kind, TensorSource& source,
               const std::string& prefix)
      : prefix(prefix), names(names_of(c)), factor(c.residual_factor) {
    const auto norm = [&](const char* part) {
      return register_module(part,
                             std::make_shared<RmsNorm>(source, prefix + "." + part, c.d, c.eps));
    };
    input_layernorm = norm("input_layernorm");
    if (kind == LayerKind::kMamba)
      mixer = register_module("mamba",
                              std::make_shared<Mamba2Mixer>(c.mamba, source, prefix + ".mamba"));
    else
      mixer = register_module("self_attn", std::make_shared<GroupedAttention>(
                                               c.attention, source, prefix + ".self_attn"));
    mlp_norm = norm(names.mlp_norm);
    const std::string mlp_name = prefix + "." + names.mlp;
    if (c.is_bamba())
      mlp = std::make_shared<GatedMlp>(source, mlp_name, c.d, c.ff, GatedNames{}, c.mlp_bias);
    else
      mlp = std::make_shared<FusedMlp>(source, mlp_name, c.d, c.ff);
    register_module(names.mlp, mlp);
    if (c.experts > 0)
      experts = register_module("block_sparse_moe",
                                std::make_shared<Mixture>(c, source, prefix + ".block_sparse_moe"));
  }

  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const auto scaled = [&](const at::Tensor& x) { return factor == 1 ? x : x * factor; };
    const at::Tensor mixed = mixer->mix((*input_layernorm)(h), states, pass, rows);
    if (rows == 0) return mixed;
    const at::Tensor y = last_rows(h, rows) + scaled(mixed);
    const at::Tensor u = (*mlp_norm)(y);
    return y + scaled(experts ? (*experts)(u) + (*mlp)(u) : (*mlp)(u));
  }

  MixerInfo describe_mixer() const override { return mixer->describe(); }

  std::vector<PartRows> other_parts() const override {
    std::vector<PartRows> parts = mlp->parts(prefix + "." + names.mlp);
    if (experts)
      for (PartRows& rows : experts->parts(prefix + ".block_sparse_moe"))
        parts.push_back(std::move(rows));
    return with_norms(std::move(parts), prefix,
                      {{"input_layernorm", input_layernorm}, {names.mlp_norm, mlp_norm}});
  }

  std::string prefix;
  Names names;
  double factor;
  std::shared_ptr<RmsNorm> input_layernorm, mlp_norm;
  std::shared_ptr<Mixer> mixer;
  std::shared_ptr<FeedForward> mlp;
  std::shared_ptr<Mixture> experts;  // null if there are none
};

// ------------------------------------------------------------------------------------------- model

class GraniteHybrid : public DecoderLM {
 public:
  GraniteHybrid(const GraniteConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), static_cast<std::int64_t>(config.layers.size()), source,
                  [&](std::int64_t index, const std::string& prefix) {
                    return std::make_shared<GraniteBlock>(
                        config, config.layers[static_cast<std::size_t>(index)], source, prefix);
                  }) {
    if (config.rope) rotary_.emplace(*config.rope, device());
    info_.architecture = config.architecture;
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
    if (config.experts > 0)
      info_.expert_share = static_cast<double>(config.chosen) / static_cast<double>(config.experts);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_granite_hybrid(const nlohmann::json& config,
                                              const std::string& label, TensorSource& source) {
  return std::make_shared<GraniteHybrid>(read_granite(config, label), source);
}

std::shared_ptr<CausalLM> make_bamba(const nlohmann::json& config, const std::string& label,
                                     TensorSource& source) {
  return std::make_shared<GraniteHybrid>(read_bamba(config, label), source);
}

}  // namespace niah::models
