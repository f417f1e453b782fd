// How a model describes itself: the state and cost of each layer's mixer, and what the rows of each
// tensor are for. Code that counts, prices, compares or restores weights reads this and needs to
// know no architecture.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace niah::models {

/// What rows of a tensor are for.
enum class Part {
  kQuery,
  kKey,
  kValue,
  kOutput,
  kGate,
  kQueryNorm,
  kKeyNorm,
  kNorm,
  kConvolution,
  kOther,  ///< of a mixer: decay, step sizes, ...
  kMlp,
  kExpert,  ///< of one of the MLPs of a mixture of experts
  kEmbedding,
  kHead,
};

/// Rows of one tensor: `repetitions` blocks of `rows` rows, the first block starting at row
/// `first`, every further one `stride` rows after the start of the previous one.
struct TensorRows {
  std::string tensor;
  std::int64_t first = 0, rows = 0, stride = 0, repetitions = 1;

  std::int64_t count() const { return rows * repetitions; }
};

/// Rows and what they are for.
struct PartRows {
  Part part = Part::kOther;
  TensorRows rows;
  bool is_bias = false;
};

/// The state of one layer's mixer and its computation apart from weight matrices, for cost
/// estimates.
struct MixerCost {
  std::int64_t kv_values = 0;     ///< cached per token: 2 * H_kv * D, or a latent; 0: linear mixer
  std::int64_t window = 0;        ///< cached tokens at most; 0: all
  std::int64_t query_values = 0;  ///< H * D; each costs 4 FLOPs per token and attended key
  std::int64_t state_values = 0;  ///< fp32 numbers in the recurrent state
  std::int64_t tail_values = 0;   ///< numbers in the convolution tail
  double token_flops = 0;         ///< per token, of a linear mixer, apart from weight matrices
};

/// The sequence mixer of one layer. A layer without a mixer (an MLP alone) has no cost and no
/// parts.
struct MixerInfo {
  char letter = '-';     ///< in layer patterns such as "LLAL"
  std::string name;      ///< "softmax", "lightning", ...
  bool attends = false;  ///< softmax attention, full or sliding-window
  /// Of softmax attention only.
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  /// Whether a head's routing matrix W_Q^T W_K is the product of one query and one key tensor, so
  /// that QK-Pro (Procrustes) applies. False if the key projection contains a norm.
  bool has_plain_routing = false;
  MixerCost cost;
  std::vector<PartRows> parts;  ///< every row of every tensor of the mixer

  bool is_recurrent() const { return cost.state_values > 0; }
  /// The rows of one part, weights before biases, otherwise in the order of `parts`.
  std::vector<PartRows> of(Part part) const;
};

/// A part outside the mixers.
struct OtherPart {
  std::optional<std::int64_t> layer;  ///< nullopt: before or after all layers
  PartRows rows;
};

struct ModelInfo;

/// A part with its place in the model.
struct PlacedPart {
  std::optional<std::int64_t> layer;  ///< nullopt: before or after all layers
  bool in_mixer = false;
  PartRows rows;
};

/// The parts that make up each tensor, by tensor name.
std::map<std::string, std::vector<PlacedPart>> parts_by_tensor(const ModelInfo& info);

/// Maps tensor names of `model` to those of `other`, where both are checkpoints of one model that
/// may use different tensor layouts. Two tensors correspond if they hold the same rows of the same
/// part of the same layer; tensors without a counterpart are left out.
std::map<std::string, std::string> counterparts(const ModelInfo& model, const ModelInfo& other);

/// One letter per layer, such as "LLAL".
std::string layer_pattern(const ModelInfo& info);

/// What the letters of the pattern mean, in order of appearance: "L lightning, A softmax".
std::string pattern_legend(const ModelInfo& info);

}  // namespace niah::models
