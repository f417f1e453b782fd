// The usual blocks (layers): pre-norm and post-norm blocks of a mixer and an MLP, and blocks of a
// mixer or an MLP alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/arch/decoder.h"
#include "models/arch/feed_forward.h"

namespace niah::models {

/// Appends the weights of `norms`, given by name, to `parts`, those of the block's MLP or mixture.
std::vector<PartRows> with_norms(
    std::vector<PartRows> parts, const std::string& prefix,
    const std::vector<std::pair<std::string, std::shared_ptr<RmsNorm>>>& norms);

/// Names of the modules of a pre-norm block.
struct BlockNames {
  std::string mixer = "self_attn", mixer_norm = "input_layernorm";
  std::string feed_forward = "mlp", feed_forward_norm = "post_attention_layernorm";
};

/// y = h + r mixer(norm(h)), then y + r feed_forward(norm(y)), with r the shape's residual_scale.
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

/// y = h + norm(mixer(h)), then y + norm(mlp(y)), without norms before (OLMo 2, arXiv 2501.00656).
struct PostNormBlock : Block {
  /// `norm_name`: the module name of the norm after the mixer.
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

/// h + mixer(norm(h)) as a whole layer (Nemotron-H). Modules norm, mixer.
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

/// h + feed_forward(norm(h)), an MLP or a mixture of experts as a whole layer, without a sequence
/// mixer (Nemotron-H). Modules norm, mixer.
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

/// Makes the mixer of layer `index`; its tensor names begin with `prefix` and a dot.
using MakeMixer =
    std::function<std::shared_ptr<Mixer>(std::int64_t index, const std::string& prefix)>;

/// Makes blocks of either kind, with the usual module names and mixers under self_attn.
MakeBlock pre_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer);
MakeBlock post_norm_blocks(const DecoderShape& shape, TensorSource& source, MakeMixer make_mixer);

}  // namespace niah::models
