// What a model says of itself: what its mixers keep and cost, and what the rows of its tensors are
// for. Whoever counts, prices, compares or restores weights reads this, and knows no architecture.
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
  kExpert,  ///< of one of several MLPs, of which a token goes through a few
  kEmbedding,
  kHead,
};

/// Rows of one tensor: `repetitions` blocks of `rows` each, the first beginning at row `first`, and
/// each `stride` rows after the one before.
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

/// What one layer's mixer keeps and computes beside its matrices, for pricing.
struct MixerCost {
  std::int64_t kv_values = 0;     ///< numbers kept a token: 2 * H_kv * D, or a latent; 0: linear
  std::int64_t window = 0;        ///< tokens kept at most; 0: all
  std::int64_t query_values = 0;  ///< H * D: 4 FLOPs each for every token and key that it sees
  std::int64_t state_values = 0;  ///< fp32 numbers of the recurrent matrix
  std::int64_t tail_values = 0;   ///< numbers of the convolution's tail
  double token_flops = 0;         ///< of a linear mixer, beside its matrices
};

/// One layer's sequence mixer. A layer without one (an MLP alone) has no cost and no parts.
struct MixerInfo {
  char letter = '-';     ///< in layer patterns
  std::string name;      ///< "softmax", "lightning", ...
  bool attends = false;  ///< softmax attention, to all keys or to a window of them
  /// Of softmax attention.
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  /// Whether a head's routing is W_Q^T W_K of one query and one key tensor, so that it has a
  /// Procrustes form. Not where a norm stands inside of W_K.
  bool has_plain_routing = false;
  MixerCost cost;
  std::vector<PartRows> parts;  ///< every row of every tensor of the mixer

  bool is_recurrent() const { return cost.state_values > 0; }
  /// The rows of one part: weights first, then biases, in the order of `parts`.
  std::vector<PartRows> of(Part part) const;
};

/// A part outside of the mixers.
struct OtherPart {
  std::optional<std::int64_t> layer;  ///< nullopt: before or after all layers
  PartRows rows;
};

struct ModelInfo;

/// Where the rows of a tensor are.
struct PlacedPart {
  std::optional<std::int64_t> layer;  ///< nullopt: before or after all layers
  bool in_mixer = false;
  PartRows rows;
};

/// The parts of every tensor, by its name.
std::map<std::string, std::vector<PlacedPart>> parts_by_tensor(const ModelInfo& info);

/// What `other` calls the tensors of `model`, where both are checkpoints of one model that may be
/// laid out in two ways: tensors are the same where they are so many rows of the same part of the
/// same layer. What has no counterpart is left out.
std::map<std::string, std::string> counterparts(const ModelInfo& model, const ModelInfo& other);

/// One letter a layer, such as "LLAL".
std::string layer_pattern(const ModelInfo& info);

/// What the letters of the pattern mean, such as "L lightning, A softmax": in order of appearance.
std::string pattern_legend(const ModelInfo& info);

}  // namespace niah::models
