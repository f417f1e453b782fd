// The model in the order of the forward pass: config, block (both mixers read the same normalised
// input, and their sum is added to the residual stream), model. The mixers are in mamba2.h and
// grouped_attention.h. Letters: B batch, T tokens of this pass, R wanted rows, d hidden size.
// Equations: Falcon-H1, arXiv 2507.22448, and its implementation in transformers. It was trained
// with muP, so nearly every product has its own factor in the config.
#include "models/arch/falcon_h1.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "models/arch/blocks.h"
#include "models/arch/grouped_attention.h"
#include "models/arch/mamba2.h"
#include "models/arch/rope.h"
#include "models/ops/gate.h"

namespace niah::models {
namespace {

// ------------------------------------------------------------------------------------------ config

struct FalconConfig {
  std::int64_t vocab, d, ff, layers;
  GroupedAttentionShape attention;
  Mamba2Shape mamba;
  double embedding_factor, logits_factor;
  double attention_in, attention_out, ssm_in, ssm_out;
  std::array<double, 2> mlp_factors;  // on the gate, on the output
  bool mlp_bias, tied;
  double eps;
  Rope rope;
  std::int64_t max_positions;
  std::vector<std::int64_t> eos_ids;
};

template <std::size_t N>
std::array<double, N> read_factors(ConfigReader& reader, const char* field) {
  std::array<double, N> factors;
  std::ranges::copy(reader.multipliers(field, N), factors.begin());
  return factors;
}

Mamba2Gate read_gate(ConfigReader& reader) {
  const bool norm_first = reader.boolean("mamba_norm_before_gate", true);
  if (!reader.boolean("mamba_rms_norm", false)) return Mamba2Gate::kAlone;
  return norm_first ? Mamba2Gate::kAfterNorm : Mamba2Gate::kThenNorm;
}

void read_mixers(ConfigReader& reader, const std::string& label, FalconConfig& c) {
  c.attention = read_grouped_attention(reader, c.d, 8, /*has_head_dim=*/true);
  c.attention.bias = reader.boolean("attention_bias", false);
  c.attention.key_factor = reader.multiplier("key_multiplier", 1);
  c.rope = read_rope(
      reader, label,
      {.head_dim = c.attention.head_dim, .max_positions = c.max_positions, .types = {"default"}});
  c.attention.rotated = c.rope.width;

  const std::int64_t expanded = read_mamba2_inner(reader, c.d);
  // If absent, mamba_d_ssm is 1024; null means that mamba_expand applies.
  const std::int64_t usual = reader.has("mamba_d_ssm") ? expanded : 1024;
  c.mamba = read_mamba2(reader, c.d, reader.positive("mamba_d_ssm", usual));
  c.mamba.in_bias = reader.boolean("mamba_proj_bias", false);
  c.mamba.out_bias = reader.boolean("projectors_bias", false);
  c.mamba.gate = read_gate(reader);
  c.mamba.eps = c.eps;
  c.mamba.factors = read_factors<5>(reader, "ssm_multipliers");
}

FalconConfig read_config(const nlohmann::json& json, const std::string& label) {
  ConfigReader reader(json, label);
  FalconConfig c;
  c.vocab = reader.positive("vocab_size", 128000);
  c.d = reader.positive("hidden_size", 4096);
  c.ff = reader.positive("intermediate_size", 14336);
  c.layers = reader.count("num_hidden_layers", 32);
  c.eps = reader.number("rms_norm_eps", 1e-5, 0, 1);
  c.max_positions = reader.positions("max_position_embeddings", 8192);
  read_mixers(reader, label, c);
  c.embedding_factor = reader.multiplier("embedding_multiplier", 1);
  c.logits_factor = reader.multiplier("lm_head_multiplier", 1);
  c.attention_in = reader.multiplier("attention_in_multiplier", 1);
  c.attention_out = reader.multiplier("attention_out_multiplier", 1);
  c.ssm_in = reader.multiplier("ssm_in_multiplier", 1);
  c.ssm_out = reader.multiplier("ssm_out_multiplier", 1);
  c.mlp_factors = read_factors<2>(reader, "mlp_multipliers");
  c.mlp_bias = reader.boolean("mlp_bias", false);
  c.tied = reader.boolean("tie_word_embeddings", false);
  c.eos_ids = read_eos_ids(reader, c.vocab);
  reader.must_be("hidden_act", "silu", "the MLP is SwiGLU");
  reader.must_be("attn_layer_indices", nullptr, "every layer attends");
  reader.must_be("mamba_use_mlp", true, "every layer has an MLP");
  reader.must_be("sliding_window", nullptr, "attention sees everything");
  reader.must_be("quantization_config", nullptr, "weights must be fp32, fp16 or bf16");
  ignore_bookkeeping(reader);
  reader.without_effect({"mlp_expansion_factor", "num_logits_to_keep"});
  reader.finish();
  return c;
}

/// See ModelInfo::settings.
std::map<std::string, std::string> settings_of(const FalconConfig& c) {
  std::map<std::string, std::string> settings = {
      {"intermediate_size", fmt::to_string(c.ff)},
      {"tie_word_embeddings", fmt::to_string(c.tied)},
      {"rms_norm_eps", fmt::to_string(c.eps)},
      {"mlp_bias", fmt::to_string(c.mlp_bias)},
      {"mlp_multipliers", fmt::format("{}", fmt::join(c.mlp_factors, ", "))},
      {"embedding_multiplier", fmt::to_string(c.embedding_factor)},
      {"lm_head_multiplier", fmt::to_string(c.logits_factor)},
      {"attention_in_multiplier", fmt::to_string(c.attention_in)},
      {"attention_out_multiplier", fmt::to_string(c.attention_out)},
      {"ssm_in_multiplier", fmt::to_string(c.ssm_in)},
      {"ssm_out_multiplier", fmt::to_string(c.ssm_out)},
      {"rope_theta", fmt::to_string(c.rope.theta)}};
  add_settings(settings, c.attention);
  add_settings(settings, c.mamba);
  return settings;
}

DecoderShape shape_of(const FalconConfig& c) {
  return {.vocab = c.vocab,
          .d = c.d,
          .ff = c.ff,
          .eps = c.eps,
          .tied = c.tied,
          .final_norm = "final_layernorm",
          .embedding_scale = c.embedding_factor,
          .logits_scale = c.logits_factor,
          .mlp_bias = c.mlp_bias};
}

// ------------------------------------------------------------------------------------------- block

at::Tensor times(const at::Tensor& x, double factor) { return factor == 1 ? x : x * factor; }

/// Describes both mixers as one, which attends and has a recurrent state. Query, key, value, output
/// and gate are those of the attention only: the state space model's C and B do not affect where a
/// softmax head attends.
MixerInfo describe_both(const GroupedAttention& attention, const Mamba2Mixer& mamba) {
  MixerInfo info = attention.describe(), other = mamba.describe();
  info.letter = 'P';
  info.name = "softmax+Mamba-2";
  info.cost.state_values = other.cost.state_values;
  info.cost.tail_values = other.cost.tail_values;
  info.cost.token_flops = other.cost.token_flops;
  for (PartRows& rows : other.parts) {
    if (rows.part != Part::kConvolution && rows.part != Part::kNorm) rows.part = Part::kOther;
    info.parts.push_back(std::move(rows));
  }
  return info;
}

/// h + ssm_out mamba(ssm_in x) + attention_out attention(attention_in x) with x = norm(h), then the
/// MLP.
struct FalconBlock : Block {
  FalconBlock(const FalconConfig& config, TensorSource& source, const std::string& prefix)
      : c(config), prefix(prefix) {
    const auto norm = [&](const char* part) {
      return register_module(part,
                             std::make_shared<RmsNorm>(source, prefix + "." + part, c.d, c.eps));
    };
    input_layernorm = norm("input_layernorm");
    mamba =
        register_module("mamba", std::make_shared<Mamba2Mixer>(c.mamba, source, prefix + ".mamba"));
    self_attn = register_module("self_attn", std::make_shared<GroupedAttention>(
                                                 c.attention, source, prefix + ".self_attn"));
    pre_ff_layernorm = norm("pre_ff_layernorm");
    feed_forward = register_module(
        "feed_forward", std::make_shared<GatedMlp>(source, prefix + ".feed_forward", c.d, c.ff,
                                                   GatedNames{}, c.mlp_bias));
  }

  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor x = (*input_layernorm)(h);
    const at::Tensor recurrent = mamba->mix(times(x, c.ssm_in), states, pass, rows);
    const at::Tensor attended = self_attn->mix(times(x, c.attention_in), states, pass, rows);
    if (rows == 0) return attended;
    const at::Tensor y =
        last_rows(h, rows) + (times(recurrent, c.ssm_out) + times(attended, c.attention_out));
    return y + mlp((*pre_ff_layernorm)(y));
  }

  at::Tensor mlp(const at::Tensor& u) const {
    const GatedMlp& ff = *feed_forward;
    const at::Tensor gate = times((*ff.gate)(u), c.mlp_factors[0]);
    return times((*ff.down)(silu_product(gate, (*ff.up)(u))), c.mlp_factors[1]);
  }

  MixerInfo describe_mixer() const override { return describe_both(*self_attn, *mamba); }

  std::vector<PartRows> other_parts() const override {
    return with_norms(
        feed_forward->parts(prefix + ".feed_forward"), prefix,
        {{"input_layernorm", input_layernorm}, {"pre_ff_layernorm", pre_ff_layernorm}});
  }

  FalconConfig c;
  std::string prefix;
  std::shared_ptr<RmsNorm> input_layernorm, pre_ff_layernorm;
  std::shared_ptr<Mamba2Mixer> mamba;
  std::shared_ptr<GroupedAttention> self_attn;
  std::shared_ptr<GatedMlp> feed_forward;
};

// ------------------------------------------------------------------------------------------- model

class FalconH1 : public DecoderLM {
 public:
  FalconH1(const FalconConfig& config, TensorSource& source)
      : DecoderLM(shape_of(config), config.layers, source,
                  [&](std::int64_t, const std::string& prefix) {
                    return std::make_shared<FalconBlock>(config, source, prefix);
                  }) {
    rotary_.emplace(config.rope, device());
    info_.architecture = "falcon_h1";
    info_.eos_ids = config.eos_ids;
    info_.max_positions = config.max_positions;
    info_.settings = settings_of(config);
  }
};

}  // namespace

std::shared_ptr<CausalLM> make_falcon_h1(const nlohmann::json& config, const std::string& label,
                                         TensorSource& source) {
  return std::make_shared<FalconH1>(read_config(config, label), source);
}

}  // namespace niah::models
