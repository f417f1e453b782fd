#include "models/arch/blocks.h"

#include <ATen/ATen.h>

namespace niah::models {

std::vector<PartRows> with_norms(
    std::vector<PartRows> parts, const std::string& prefix,
    const std::vector<std::pair<std::string, std::shared_ptr<RmsNorm>>>& norms) {
  for (const auto& [name, norm] : norms)
    for (PartRows& rows : parts_of(Part::kNorm, prefix + "." + name, *norm))
      parts.push_back(std::move(rows));
  return parts;
}

PreNormBlock::PreNormBlock(const DecoderShape& shape, const BlockNames& names,
                           std::shared_ptr<Mixer> the_mixer,
                           std::shared_ptr<FeedForward> the_feed_forward, TensorSource& source,
                           const std::string& prefix)
    : names(names), prefix(prefix), residual_scale(shape.residual_scale) {
  const auto norm = [&](const std::string& part) {
    return register_module(part, std::make_shared<RmsNorm>(source, prefix + "." + part, shape.d,
                                                           shape.eps, shape.rounding));
  };
  mixer = register_module(names.mixer, std::move(the_mixer));
  feed_forward = register_module(names.feed_forward, std::move(the_feed_forward));
  mixer_norm = norm(names.mixer_norm);
  feed_forward_norm = norm(names.feed_forward_norm);
}

at::Tensor PreNormBlock::run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                             std::int64_t rows) const {
  const auto scaled = [&](const at::Tensor& x) {
    return residual_scale == 1 ? x : x * residual_scale;
  };
  const at::Tensor mixed = mixer->mix((*mixer_norm)(h), states, pass, rows);
  if (rows == 0) return mixed;
  const at::Tensor y = last_rows(h, rows) + scaled(mixed);
  return y + scaled((*feed_forward)((*feed_forward_norm)(y)));
}

std::vector<PartRows> PreNormBlock::other_parts() const {
  return with_norms(feed_forward->parts(prefix + "." + names.feed_forward), prefix,
                    {{names.mixer_norm, mixer_norm}, {names.feed_forward_norm, feed_forward_norm}});
}

PostNormBlock::PostNormBlock(const DecoderShape& shape, std::shared_ptr<Mixer> mixer,
                             TensorSource& source, const std::string& prefix,
                             const std::string& norm_name)
    : prefix(prefix), norm_name(norm_name) {
  const auto norm = [&](const std::string& part) {
    return register_module(part, std::make_shared<RmsNorm>(source, prefix + "." + part, shape.d,
                                                           shape.eps, shape.rounding));
  };
  self_attn = register_module("self_attn", std::move(mixer));
  mlp = register_module("mlp", std::make_shared<GatedMlp>(source, prefix + ".mlp", shape.d,
                                                          shape.ff, GatedNames{}, shape.mlp_bias));
  mixer_norm = norm(norm_name);
  post_feedforward_layernorm = norm("post_feedforward_layernorm");
}

at::Tensor PostNormBlock::run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                              std::int64_t rows) const {
  const at::Tensor mixed = self_attn->mix(h, states, pass, rows);
  if (rows == 0) return mixed;
  const at::Tensor y = last_rows(h, rows) + (*mixer_norm)(mixed);
  return y + (*post_feedforward_layernorm)((*mlp)(y));
}

std::vector<PartRows> PostNormBlock::other_parts() const {
  return with_norms(
      mlp->parts(prefix + ".mlp"), prefix,
      {{norm_name, mixer_norm}, {"post_feedforward_layernorm", post_feedforward_layernorm}});
}

MixerBlock::MixerBlock(const DecoderShape& shape, std::shared_ptr<Mixer> the_mixer,
                       TensorSource& source, const std::string& prefix)
    : prefix(prefix) {
  norm = register_module("norm", std::make_shared<RmsNorm>(source, prefix + ".norm", shape.d,
                                                           shape.eps, shape.rounding));
  mixer = register_module("mixer", std::move(the_mixer));
}

at::Tensor MixerBlock::run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                           std::int64_t rows) const {
  const at::Tensor mixed = mixer->mix((*norm)(h), states, pass, rows);
  return rows == 0 ? mixed : last_rows(h, rows) + mixed;
}

std::vector<PartRows> MixerBlock::other_parts() const {
  return with_norms({}, prefix, {{"norm", norm}});
}

FeedForwardBlock::FeedForwardBlock(const DecoderShape& shape, bool is_mixture,
                                   std::shared_ptr<FeedForward> feed_forward, TensorSource& source,
                                   const std::string& prefix)
    : prefix(prefix), is_mixture(is_mixture) {
  norm = register_module("norm", std::make_shared<RmsNorm>(source, prefix + ".norm", shape.d,
                                                           shape.eps, shape.rounding));
  mixer = register_module("mixer", std::move(feed_forward));
}

at::Tensor FeedForwardBlock::run(const at::Tensor& h, const LayerStates&, const Pass&,
                                 std::int64_t rows) const {
  const at::Tensor last = last_rows(h, rows);
  return rows == 0 ? last : last + (*mixer)((*norm)(last));
}

MixerInfo FeedForwardBlock::describe_mixer() const {
  MixerInfo info;
  info.letter = is_mixture ? 'E' : '-';
  info.name = is_mixture ? "experts alone" : "MLP alone";
  return info;
}

std::vector<PartRows> FeedForwardBlock::other_parts() const {
  return with_norms(mixer->parts(prefix + ".mixer"), prefix, {{"norm", norm}});
}

MakeBlock pre_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer) {
  return [shape, &source, make_mixer = std::move(make_mixer)](std::int64_t index,
                                                              const std::string& prefix) {
    // The mixer first: the order in which tensors are created determines the weights of a randomly
    // initialised model.
    const auto mixer = make_mixer(index, prefix + ".self_attn");
    const auto mlp = std::make_shared<GatedMlp>(source, prefix + ".mlp", shape.d, shape.ff,
                                                GatedNames{}, shape.mlp_bias);
    return std::make_shared<PreNormBlock>(shape, BlockNames{}, mixer, mlp, source, prefix);
  };
}

MakeBlock post_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer) {
  return [shape, &source, make_mixer = std::move(make_mixer)](std::int64_t index,
                                                              const std::string& prefix) {
    return std::make_shared<PostNormBlock>(shape, make_mixer(index, prefix + ".self_attn"), source,
                                           prefix);
  };
}

}  // namespace niah::models
