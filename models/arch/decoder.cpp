#include "models/arch/decoder.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <limits>

#include "harness/base/error.h"
#include "harness/base/json_integer.h"
#include "models/ops/projection.h"

namespace niah::models {

Block::Block(const DecoderShape& shape, std::shared_ptr<Mixer> mixer, TensorSource& source,
             const std::string& name) {
  const auto norm = [&](const char* part) {
    return register_module(part, std::make_shared<RmsNorm>(source, name + "." + part, shape.d,
                                                           shape.eps, shape.rounding));
  };
  self_attn = register_module("self_attn", std::move(mixer));
  mlp = register_module("mlp", std::make_shared<SwiGlu>(source, name + ".mlp", shape.d, shape.ff));
  input_layernorm = norm("input_layernorm");
  post_attention_layernorm = norm("post_attention_layernorm");
}

at::Tensor Block::operator()(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                             std::int64_t rows) const {
  const at::Tensor mixed = self_attn->mix((*input_layernorm)(h), states, pass, rows);
  if (rows == 0) return mixed;
  const at::Tensor y = last_rows(h, rows) + mixed;
  return y + (*mlp)((*post_attention_layernorm)(y));
}

DecoderLM::DecoderLM(const DecoderShape& shape, std::int64_t layers, TensorSource& source,
                     const MakeMixer& make_mixer) {
  const auto model = register_module("model", std::make_shared<torch::nn::Module>("model"));
  embed_tokens_ = model->register_module(
      "embed_tokens",
      std::make_shared<Embedding>(source, "model.embed_tokens", shape.vocab, shape.d));
  const auto list = model->register_module("layers", std::make_shared<torch::nn::Module>("layers"));
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = fmt::format("model.layers.{}", i);
    blocks_.push_back(
        std::make_shared<Block>(shape, make_mixer(i, name + ".self_attn"), source, name));
    list->register_module(std::to_string(i), blocks_.back());
  }
  norm_ = model->register_module(
      "norm", std::make_shared<RmsNorm>(source, "model.norm", shape.d, shape.eps, shape.rounding));
  if (!shape.tied)
    lm_head_ = register_module("lm_head",
                               std::make_shared<Linear>(source, "lm_head", shape.d, shape.vocab));
}

at::Tensor DecoderLM::embed(const at::Tensor& ids) const {
  // Ids come from files and tokenizers; those that a model chose itself may be on its device, where
  // to look at them would be to wait for it.
  if (ids.device().is_cpu() && ids.numel() > 0) {
    const auto [least, most] = at::aminmax(ids);
    const std::int64_t rows = embed_tokens_->weight.size(0);
    const std::int64_t id =
        least.item<std::int64_t>() < 0 ? least.item<std::int64_t>() : most.item<std::int64_t>();
    if (id < 0 || id >= rows)
      throw DataError(
          fmt::format("reading a text: the token id {} is none of the {} that the model "
                      "has; is this its tokenizer?",
                      id, rows));
  }
  return (*embed_tokens_)(ids.to(device()));
}

at::Tensor DecoderLM::layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                            const Pass& pass, std::int64_t rows) const {
  return (*blocks_[static_cast<std::size_t>(index)])(hidden, states, pass, rows);
}

at::Tensor DecoderLM::head(const at::Tensor& hidden) const {
  const at::Tensor normed = (*norm_)(hidden);
  const at::Tensor logits = lm_head_ ? (*lm_head_)(normed) : project(normed, embed_tokens_->weight);
  return logits.to(at::kFloat);
}

at::Device DecoderLM::device() const { return norm_->weight.device(); }

SoftmaxLayer softmax_layer(std::int64_t index, std::int64_t heads, std::int64_t kv_heads,
                           std::int64_t head_dim, bool bias, std::int64_t window) {
  const auto tensors = [&](const char* projection) {
    const std::string stem = fmt::format("model.layers.{}.self_attn.{}", index, projection);
    std::vector<std::string> names = {stem + ".weight"};
    if (bias) names.push_back(stem + ".bias");
    return names;
  };
  return {index, tensors("q_proj"), tensors("k_proj"), tensors("v_proj"),
          heads, kv_heads,          head_dim,          window};
}

MixerCost softmax_cost(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window) {
  MixerCost cost;
  cost.kv_values = 2 * kv_heads * head_dim;
  cost.window = window;
  cost.query_values = heads * head_dim;
  return cost;
}

MixerCost linear_cost(std::int64_t heads, std::int64_t key_dim, std::int64_t value_dim,
                      std::int64_t tail_values) {
  constexpr std::int64_t kChunk = 64;
  MixerCost cost;
  cost.state_values = heads * key_dim * value_dim;
  cost.tail_values = tail_values;
  cost.token_flops =
      static_cast<double>(4 * cost.state_values + 2 * kChunk * heads * (key_dim + value_dim));
  return cost;
}

std::vector<std::int64_t> read_eos_ids(ConfigReader& reader, std::int64_t vocab) {
  constexpr const char* kField = "eos_token_id";
  const nlohmann::json& value = reader.raw(kField);
  if (value.is_null()) return {};
  std::vector<std::int64_t> ids;
  for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!id.is_number_integer()) reader.refuse(kField, "a token id or a list of them was expected");
    const bool fits = is_integer_of<std::int64_t>(id) && id.get<std::int64_t>() >= 0 &&
                      id.get<std::int64_t>() < vocab;
    if (!fits)
      reader.refuse(kField, fmt::format("a token id below vocab_size ({}) was expected, found {}",
                                        vocab, id.dump()));
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

double read_plain_rope(ConfigReader& reader, const std::string& label, double fallback) {
  constexpr double kNotSaid = -1;
  const auto theta_of = [](ConfigReader& fields, double otherwise) {
    return fields.is_null("rope_theta") ? otherwise
                                        : fields.number("rope_theta", 0, kMinTheta, kMaxTheta);
  };
  double theta = theta_of(reader, kNotSaid);
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    if (reader.is_null(field)) continue;
    ConfigReader rope(reader.raw(field), label + ": " + field);
    rope.one_of("rope_type", "default", {"default"});
    rope.one_of("type", "default", {"default"});
    rope.must_be("partial_rotary_factor", 1.0, "all of a head is rotated");
    const double own = theta_of(rope, theta);
    if (theta != kNotSaid && own != theta)
      rope.refuse("rope_theta", fmt::format("{} contradicts the other rope_theta, {}", own, theta));
    theta = own;
    rope.finish();
  }
  return theta == kNotSaid ? fallback : theta;
}

void ignore_bookkeeping(ConfigReader& reader) {
  reader.without_effect({"model_type", "architectures", "auto_map", "torch_dtype", "dtype",
                         "transformers_version", "use_cache", "_name_or_path", "initializer_range",
                         "attention_dropout", "_attn_implementation",
                         "_attn_implementation_autoset", "output_attentions",
                         "output_hidden_states", "return_dict", "tokenizer_class",
                         "unsloth_version", "unsloth_fixed"});
  // No effect here, but a number that is no token id is a sign of a damaged file. -1 says "none".
  for (const char* field : {"bos_token_id", "pad_token_id"})
    if (!reader.raw(field).is_array())
      reader.integer(field, 0, -1, std::numeric_limits<std::int32_t>::max());
}

void check_heads(const ConfigReader& reader, const char* kv_field, std::int64_t heads,
                 std::int64_t kv_heads) {
  if (heads % kv_heads != 0)
    reader.refuse(kv_field, fmt::format("{} does not divide the {} heads", kv_heads, heads));
}

}  // namespace niah::models
