// A language model as the harness sees it: token ids in, logits out, a state in between.
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
#include "models/weights.h"

namespace niah::models {

/// Which logits a forward pass is wanted for. Everything else of the last layer is not computed.
enum class Logits { kNone, kLast, kAll };

/// What the harness must know of a model without looking inside.
struct ModelInfo {
  std::string architecture;  ///< "hypenet", ...
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::vector<MixerInfo> mixers;  ///< one a layer
  std::vector<OtherPart> others;  ///< embedding, norms, MLPs, output projection
  /// The output projection of a model whose embedding serves as one: a checkpoint may hold it all
  /// the same, equal to the embedding. Empty: not tied.
  std::string tied_head;
  std::vector<std::int64_t> eos_ids;
  /// Longest context that the config claims; 0 when it claims none.
  std::int64_t max_positions = 0;
  /// What a user should know before trusting the results: one line each.
  std::vector<std::string> warnings;
  /// All else of the config that changes what is computed, resolved: defaults filled in, whatever
  /// spelling it had. Two configs that are equal in this, architecture, sizes and layers compute
  /// the same.
  std::map<std::string, std::string> settings{};
  /// Whether the rotary embedding is scaled for contexts longer than the trained ones.
  bool scales_positions = false;
  /// How many of the experts of a layer a token goes through, as a part of all.
  double expert_share = 1;
};

/// What a softmax layer is about to attend with: queries [B, H, R, D] of the last R positions, keys
/// and values [B, H_kv, n, D] up to and including the last one, the factor on the product of query
/// and key, and how many keys a query sees (0: all up to its own).
struct AttentionInputs {
  const at::Tensor& query;
  const at::Tensor& key;
  const at::Tensor& value;
  double scale = 1;
  std::int64_t window = 0;
};

/// What all layers of one forward pass share.
struct Pass {
  /// Absolute position of the first token: of each sequence, or one for all of them.
  std::vector<std::int64_t> positions;
  std::int64_t tokens = 0;  ///< of each sequence
  /// Rotary tables, fp32 (on a GPU the activations' type, unless heads are rotated in fp32): [T,
  /// R/2], or [B, T, R/2] with a position for each sequence; R of a head's D numbers are rotated.
  /// Undefined without rotary layers.
  at::Tensor cos, sin;
  /// Shown what softmax layers attend with, where set: for instruments.
  std::function<void(const AttentionInputs&)> watch{};
  /// Attends in place of the usual op, where set: [B, H, R, D].
  std::function<at::Tensor(const AttentionInputs&)> attend{};
  /// As cos and sin, of sliding-window layers that are rotated in another way; else undefined.
  at::Tensor window_cos{}, window_sin{};
};

/// Token ids as a batch of one sequence [1, T].
at::Tensor as_sequence(const std::vector<std::int64_t>& ids);

/// A decoder-only model. Parameter names (named_parameters) are the checkpoint's tensor names. The
/// pieces embed, layer and head are public so that variants that agree on their lower layers can
/// run those once.
class CausalLM : public torch::nn::Module {
 public:
  const ModelInfo& info() const { return info_; }
  std::int64_t num_layers() const { return static_cast<std::int64_t>(info_.mixers.size()); }

  /// Reads `ids` [B, T] (int64) after what `state` has seen. Returns logits [B, T or 1, vocab] in
  /// fp32, or an undefined tensor for Logits::kNone. The result does not depend on how a text is
  /// cut into calls, up to rounding. Runs in inference mode: a state that it has filled goes on in
  /// that mode alone.
  at::Tensor forward(const at::Tensor& ids, State& state, Logits logits);
  /// Like forward, with logits of the last `rows` positions [B, rows, vocab].
  at::Tensor forward_rows(const at::Tensor& ids, State& state, std::int64_t rows);
  /// The same for sequences that each have a state and a position of their own: ids [B, T] → logits
  /// [B, rows, vocab].
  at::Tensor forward_rows(const at::Tensor& ids, const std::vector<State*>& states,
                          std::int64_t rows);
  /// Logits [B, T, vocab] of whole sequences from position 0, differentiable, keeping no state.
  /// `attend`: see Pass.
  at::Tensor forward_train(const at::Tensor& ids,
                           std::function<at::Tensor(const AttentionInputs&)> attend = {});

  /// `positions`: see Pass.
  virtual Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const = 0;
  /// ids [B, T], on any device → residual stream [B, T, d].
  virtual at::Tensor embed(const at::Tensor& ids) const = 0;
  /// Residual stream after layer `index`, for the last `rows` positions only: [B, rows, d]. The
  /// states take in all positions whatever `rows` is (0: only that).
  virtual at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                           const Pass& pass, std::int64_t rows) const = 0;
  /// Final norm and output projection: [B, R, d] → [B, R, vocab] fp32.
  virtual at::Tensor head(const at::Tensor& hidden) const = 0;

 protected:
  ModelInfo info_;
};

}  // namespace niah::models
