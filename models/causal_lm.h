// The interface of a language model: token ids in, logits out, and a state kept between passes.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/mixer_info.h"
#include "models/state.h"
#include "models/tensor_source.h"

namespace niah::models {

/// The positions for which a forward pass returns logits. The last layer's output is computed for
/// those only.
enum class Logits { kNone, kLast, kAll };

/// Everything that callers need to know about a model without knowing its architecture.
struct ModelInfo {
  std::string architecture;  ///< "hypenet", ...
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::vector<MixerInfo> mixers;  ///< one per layer
  std::vector<OtherPart> others;  ///< embedding, norms, MLPs, output projection
  /// If the embedding serves as the output projection, the name of the tensor under which a
  /// checkpoint may nevertheless store that projection, equal to the embedding. Empty: not tied.
  std::string tied_head;
  std::vector<std::int64_t> eos_ids;
  /// Longest context that the config claims to support; 0 if it claims none.
  std::int64_t max_positions = 0;
  /// What a user should know before trusting the results, one line per item.
  std::vector<std::string> warnings;
  /// All other config fields that affect the computation, in canonical spelling and with defaults
  /// filled in. Two configs with equal settings, architecture, sizes and layers compute the same.
  std::map<std::string, std::string> settings{};
  /// Whether the rotary embedding is scaled for contexts longer than those trained on.
  bool scales_positions = false;
  /// Fraction of a layer's experts that a token is routed to; 1 without experts.
  double expert_share = 1;
};

/// The inputs of softmax attention in one layer: queries [B, H, R, D] of the last R positions, keys
/// and values [B, H_kv, n, D] up to and including the last position, the factor `scale` on q·k, and
/// `window`, the number of keys that a query sees (0: all up to its own position).
struct AttentionInputs {
  const at::Tensor& query;
  const at::Tensor& key;
  const at::Tensor& value;
  double scale = 1;
  std::int64_t window = 0;
};

/// What all layers of one forward pass have in common.
struct Pass {
  /// Absolute position of the first token, either per sequence or one for all of them.
  std::vector<std::int64_t> positions;
  std::int64_t tokens = 0;  ///< tokens per sequence
  /// Rotary tables [T, R/2], or [B, T, R/2] with one position per sequence, where the first R of a
  /// head's D dimensions are rotated. fp32; on a GPU in the activations' type, unless heads are
  /// rotated in fp32. Undefined if no layer uses rotary positions.
  at::Tensor cos, sin;
  /// If set, called with the inputs of every softmax attention; for instruments.
  std::function<void(const AttentionInputs&)> watch{};
  /// If set, computes softmax attention instead of the usual op; returns [B, H, R, D].
  std::function<at::Tensor(const AttentionInputs&)> attend{};
  /// Rotary tables of sliding-window layers if they differ from cos and sin; else undefined.
  at::Tensor window_cos{}, window_sin{};
};

/// Token ids as a batch of one sequence, [1, T] int64.
at::Tensor as_sequence(const std::vector<std::int64_t>& ids);

/// A decoder-only model. Its parameter names (named_parameters) are the checkpoint's tensor names.
/// embed, layer and head are public so that variants with equal lower layers can run those once.
class CausalLM : public torch::nn::Module {
 public:
  const ModelInfo& info() const { return info_; }
  std::int64_t num_layers() const { return static_cast<std::int64_t>(info_.mixers.size()); }

  /// Reads `ids` [B, T] (int64) as the continuation of what `state` has read. Returns logits
  /// [B, T or 1, vocab] in fp32, or an undefined tensor for Logits::kNone. Up to rounding, the
  /// result does not depend on how a text is split into calls. Runs in inference mode, so later
  /// passes on the same state must, too.
  at::Tensor forward(const at::Tensor& ids, State& state, Logits logits);
  /// Like forward, but returns logits of the last `rows` positions, [B, rows, vocab].
  at::Tensor forward_rows(const at::Tensor& ids, State& state, std::int64_t rows);
  /// The same for a batch in which each sequence has its own state and position: ids [B, T] →
  /// logits [B, rows, vocab].
  at::Tensor forward_rows(const at::Tensor& ids, const std::vector<State*>& states,
                          std::int64_t rows);
  /// Differentiable logits [B, T, vocab] of whole sequences from position 0, without a state.
  /// `attend`: see Pass.
  at::Tensor forward_train(const at::Tensor& ids,
                           std::function<at::Tensor(const AttentionInputs&)> attend = {});

  /// Prepares what all layers of a pass of `tokens` tokens share. `positions`: see Pass.
  virtual Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const = 0;
  /// ids [B, T], on any device → residual stream [B, T, d].
  virtual at::Tensor embed(const at::Tensor& ids) const = 0;
  /// Residual stream after layer `index` for the last `rows` positions: [B, rows, d]. All positions
  /// are added to the states, whatever `rows` is; with 0 nothing else is done.
  virtual at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                           const Pass& pass, std::int64_t rows) const = 0;
  /// Final norm and output projection: [B, R, d] → [B, R, vocab] fp32.
  virtual at::Tensor head(const at::Tensor& hidden) const = 0;

 protected:
  ModelInfo info_;
};

}  // namespace niah::models
