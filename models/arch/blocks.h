// The usual blocks around a mixer: with norms before what they feed, or after it; and blocks of a
// mixer or of an MLP alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/arch/decoder.h"
#include "models/arch/feed_forward.h"

namespace niah::models {

/// A block's parts outside of the mixer: those of its MLP or mixture, then its norms by their
/// names.
std::vector<PartRows> with_norms(
    std::vector<PartRows> parts, const std::string& prefix,
    const std::vector<std::pair<std::string, std::shared_ptr<RmsNorm>>>& norms);

/// What the parts of a pre-norm block are called.
struct BlockNames {
  std::string mixer = "self_attn", mixer_norm = "input_layernorm";
  std::string feed_forward = "mlp", feed_forward_norm = "post_attention_layernorm";
};

/// h + r mixer(norm h), then + r feed_forward(norm), r the shape's residual_scale.
struct PreNormBlock : Block {
  PreNormBlock(const DecoderShape& shape, const BlockNames& names, std::shared_ptr<Mixer> mixer,
               std::shared_ptr<FeedForward> feed_forward, TensorSource& source,
               const std::string& prefix);
  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe_mixer() const override { return mixer->describe(); }
  std::vector<PartRows> other_parts() const override;

  BlockNames names;
  std::string prefix;
  double residual_scale;
  std::shared_ptr<RmsNorm> mixer_norm, feed_forward_norm;
  std::shared_ptr<Mixer> mixer;
  std::shared_ptr<FeedForward> feed_forward;
};

/// OLMo's block: h + norm(mixer(h)), then + norm(mlp(h)), with no norm before (OLMo 2, arXiv
/// 2501.00656).
struct PostNormBlock : Block {
  /// `norm_name`: what the norm after the mixer is called.
  PostNormBlock(const DecoderShape& shape, std::shared_ptr<Mixer> mixer, TensorSource& source,
                const std::string& prefix,
                const std::string& norm_name = "post_attention_layernorm");
  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe_mixer() const override { return self_attn->describe(); }
  std::vector<PartRows> other_parts() const override;

  std::string prefix, norm_name;
  std::shared_ptr<RmsNorm> mixer_norm, post_feedforward_layernorm;
  std::shared_ptr<Mixer> self_attn;
  std::shared_ptr<GatedMlp> mlp;
};

/// h + mixer(norm h), the whole layer (Nemotron-H). Modules norm, mixer.
struct MixerBlock : Block {
  MixerBlock(const DecoderShape& shape, std::shared_ptr<Mixer> mixer, TensorSource& source,
             const std::string& prefix);
  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe_mixer() const override { return mixer->describe(); }
  std::vector<PartRows> other_parts() const override;

  std::string prefix;
  std::shared_ptr<RmsNorm> norm;
  std::shared_ptr<Mixer> mixer;
};

/// h + mlp(norm h), or a mixture's: a layer in which no token sees another. Modules norm, mixer.
struct FeedForwardBlock : Block {
  FeedForwardBlock(const DecoderShape& shape, bool is_mixture,
                   std::shared_ptr<FeedForward> feed_forward, TensorSource& source,
                   const std::string& prefix);
  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override;
  MixerInfo describe_mixer() const override;
  std::vector<PartRows> other_parts() const override;

  std::string prefix;
  bool is_mixture;
  std::shared_ptr<RmsNorm> norm;
  std::shared_ptr<FeedForward> mixer;
};

/// Makes the mixer of layer `index`, whose tensors' names begin with `prefix` and a dot.
using MakeMixer =
    std::function<std::shared_ptr<Mixer>(std::int64_t index, const std::string& prefix)>;

/// Blocks of either kind around the mixers, whose tensors are under self_attn.
MakeBlock pre_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer);
MakeBlock post_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer);

}  // namespace niah::models
