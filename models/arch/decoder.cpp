#include "models/arch/decoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "harness/base/error.h"
#include "harness/base/json_integer.h"
#include "models/ops/batch.h"
#include "models/ops/projection.h"

namespace niah::models {

namespace {

PartRows all_rows(Part part, const std::string& tensor, const at::Tensor& values) {
  const std::int64_t rows = values.size(0);
  return {part, {tensor, 0, rows, rows, 1}, tensor.ends_with(".bias")};
}

}  // namespace

std::vector<PartRows> parts_of(Part part, const std::string& prefix,
                               const torch::nn::Module& module) {
  std::vector<PartRows> parts;
  for (const auto& item : module.named_parameters())
    parts.push_back(all_rows(part, prefix + "." + item.key(), item.value()));
  return parts;
}

void Mixer::claim(MixerInfo& info,
                  std::initializer_list<std::pair<Part, std::string_view>> children) const {
  const auto parameters = named_parameters();
  for (const auto& [part, child] : children)
    for (const auto& item : parameters) {
      const std::string_view name = item.key();
      if (name.starts_with(child) && (name.size() == child.size() || name[child.size()] == '.'))
        info.parts.push_back(all_rows(part, prefix + "." + item.key(), item.value()));
    }
}

void Mixer::claim_rows(MixerInfo& info, Part part, const std::string& child,
                       TensorRows rows) const {
  for (const char* tensor : {"weight", "bias"}) {
    const std::string name = child + "." + tensor;
    if (!named_parameters().contains(name)) continue;
    rows.tensor = prefix + "." + name;
    info.parts.push_back({part, rows, std::string_view(tensor) == "bias"});
  }
}

std::shared_ptr<Linear> Mixer::add_linear(TensorSource& source, const std::string& child,
                                          std::int64_t in, std::int64_t out, bool with_bias) {
  return register_module(
      child, std::make_shared<Linear>(source, prefix + "." + child, in, out, with_bias));
}

std::shared_ptr<RmsNorm> Mixer::add_norm(TensorSource& source, const std::string& child,
                                         std::int64_t size, double eps, NormRounding rounding) {
  return register_module(
      child, std::make_shared<RmsNorm>(source, prefix + "." + child, size, eps, rounding));
}

namespace {

/// Registers nested modules for a name with dots, which a module name must not contain; returns the
/// innermost.
std::shared_ptr<torch::nn::Module> nested(torch::nn::Module& outer, std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string first(name.substr(0, dot));
  const auto inner = outer.register_module(first, std::make_shared<torch::nn::Module>(first));
  return dot == name.npos ? inner : nested(*inner, name.substr(dot + 1));
}

}  // namespace

DecoderLM::DecoderLM(const DecoderShape& shape, std::int64_t layers, TensorSource& source,
                     const MakeBlock& make_block)
    : embedding_name_(shape.prefix + "." + shape.embedding),
      norm_name_(shape.prefix + "." + shape.final_norm),
      embedding_scale_(shape.embedding_scale),
      logits_scale_(shape.logits_scale),
      logits_divisor_(shape.logits_divisor) {
  const auto model = nested(*this, shape.prefix);
  embed_tokens_ = model->register_module(
      shape.embedding, std::make_shared<Embedding>(source, embedding_name_, shape.vocab, shape.d));
  const auto list = model->register_module("layers", std::make_shared<torch::nn::Module>("layers"));
  for (std::int64_t i = 0; i < layers; ++i) {
    blocks_.push_back(make_block(i, fmt::format("{}.layers.{}", shape.prefix, i)));
    list->register_module(std::to_string(i), blocks_.back());
  }
  norm_ = model->register_module(
      shape.final_norm,
      std::make_shared<RmsNorm>(source, norm_name_, shape.d, shape.eps, shape.rounding));
  if (!shape.tied)
    lm_head_ = register_module("lm_head",
                               std::make_shared<Linear>(source, "lm_head", shape.d, shape.vocab));
  info_.vocab_size = shape.vocab;
  info_.hidden_size = shape.d;
  describe_parts();
}

void DecoderLM::describe_parts() {
  const auto add = [&](std::optional<std::int64_t> layer, std::vector<PartRows> parts) {
    for (PartRows& rows : parts) info_.others.push_back({layer, std::move(rows)});
  };
  add(std::nullopt, parts_of(Part::kEmbedding, embedding_name_, *embed_tokens_));
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    info_.mixers.push_back(blocks_[i]->describe_mixer());
    add(static_cast<std::int64_t>(i), blocks_[i]->other_parts());
  }
  add(std::nullopt, parts_of(Part::kNorm, norm_name_, *norm_));
  if (lm_head_)
    add(std::nullopt, parts_of(Part::kHead, "lm_head", *lm_head_));
  else
    info_.tied_head = "lm_head.weight";
}

at::Tensor DecoderLM::embed(const at::Tensor& ids) const {
  // Ids from files and tokenizers are checked. Those that the model generated itself may be on its
  // device, where reading them would mean waiting.
  if (ids.device().is_cpu() && ids.numel() > 0) {
    const auto [least, most] = at::aminmax(ids);
    const std::int64_t rows = embed_tokens_->weight.size(0);
    const std::int64_t id =
        least.item<std::int64_t>() < 0 ? least.item<std::int64_t>() : most.item<std::int64_t>();
    if (id < 0 || id >= rows)
      throw DataError(
          fmt::format("reading a text: token id {} is not one of the {} in the model's "
                      "vocabulary; is this its tokenizer?",
                      id, rows));
  }
  const at::Tensor embedded = (*embed_tokens_)(to_device(ids, device()));
  return embedding_scale_ == 1 ? embedded : embedded * embedding_scale_;
}

Pass DecoderLM::begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const {
  Pass pass{positions, tokens, {}, {}};
  if (rotary_) std::tie(pass.cos, pass.sin) = rotary_->tables(positions, tokens);
  // On a GPU, the tables are rounded once for all layers; on the CPU, the kernel rounds them.
  if (rotary_ && !rotates_in_fp32_ && !device().is_cpu()) {
    pass.cos = pass.cos.to(norm_->weight.scalar_type());
    pass.sin = pass.sin.to(norm_->weight.scalar_type());
  }
  return pass;
}

at::Tensor DecoderLM::layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                            const Pass& pass, std::int64_t rows) const {
  return blocks_[static_cast<std::size_t>(index)]->run(hidden, states, pass, rows);
}

at::Tensor DecoderLM::head(const at::Tensor& hidden) const {
  const at::Tensor normed = (*norm_)(hidden);
  at::Tensor logits = lm_head_ ? (*lm_head_)(normed) : project(normed, embed_tokens_->weight);
  if (logits_scale_ != 1) logits = logits * logits_scale_;
  if (logits_divisor_ != 1) logits = logits / logits_divisor_;
  return logits.to(at::kFloat);
}

at::Device DecoderLM::device() const { return norm_->weight.device(); }

MixerInfo softmax_info(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                       std::int64_t window) {
  MixerInfo info;
  info.letter = window > 0 ? 'W' : 'A';
  info.name = window > 0 ? "sliding-window" : "softmax";
  info.attends = true;
  info.heads = heads;
  info.kv_heads = kv_heads;
  info.head_dim = head_dim;
  info.has_plain_routing = true;
  info.cost = softmax_cost(heads, kv_heads, head_dim, window);
  return info;
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
  // No effect here, but an invalid token id indicates a damaged file. -1 means "none".
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
