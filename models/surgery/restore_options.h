// What a restoration restores, and in which layers: plain data without libtorch, for configs and
// command lines.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace niah::models {

/// What is restored from the checkpoint before the fine-tune ("pre").
enum class RestoreMethod {
  kQk,     ///< W_Q and W_K: QK-Restore
  kQkPro,  ///< W_K of pre, and a W_Q that brings W_Q^T W_K close to pre's: linearised Procrustes
  kQkProExact,  ///< the W_Q and W_K nearest to the fine-tune's that have W_Q^T W_K of pre
  kQ,           ///< W_Q alone (ablation)
  kK,           ///< W_K alone (ablation)
  kV,           ///< W_V alone (ablation)
  kParts,       ///< any parts of the weights (ablation)
};

/// A part of a model's weights that kParts can restore. Convolutions of linear layers belong to
/// two, every other weight to one at most.
enum class WeightPart {
  kQuery,         ///< W_Q of softmax layers
  kKey,           ///< W_K of softmax layers
  kValue,         ///< W_V of softmax layers
  kOutput,        ///< W_O of softmax layers
  kGate,          ///< the output gates of softmax layers
  kNorms,         ///< all norms but those inside linear layers' mixers
  kLinear,        ///< everything in linear layers' mixers
  kConvolutions,  ///< the short convolutions of mixers
  kMlp,
  kExperts,
  kEmbedding,  ///< also the output projection, if the model uses the embedding as one
  kHead,
};

/// The names of all methods: "qk", "qk-pro", "qk-pro-exact", "q", "k", "v", "parts".
std::vector<std::string> restore_method_names();
/// The method called `name`. Throws UsageError, suggesting the nearest name, if there is none.
RestoreMethod parse_restore_method(const std::string& name);
/// The inverse of parse_restore_method.
std::string restore_method_name(RestoreMethod method);

/// The names of all parts: "q", "k", "v", "o", "gate", "norms", "linear", "conv", "mlp", "experts",
/// "embedding", "head".
std::vector<std::string> weight_part_names();
/// The part called `name`. Throws UsageError, suggesting the nearest name, if there is none.
WeightPart parse_weight_part(const std::string& name);
/// The parts of these names. Throws what parse_weight_part throws.
std::set<WeightPart> parse_weight_parts(const std::vector<std::string>& names);
/// The inverse of parse_weight_part.
std::string weight_part_name(WeightPart part);

/// "2,5-8" → 2, 5, 6, 7, 8. Throws UsageError for anything that is not such a list.
std::vector<std::int64_t> parse_layers(const std::string& text);

/// How to restore, and which layers.
struct RestoreOptions {
  RestoreMethod method = RestoreMethod::kQk;
  double lambda = 0.1;  ///< ridge regularisation of kQkPro
  /// Whether to restore sliding-window layers as well. They cannot see far back, so by default they
  /// are left as they are.
  bool windows = false;
  double alpha = 1;  ///< 0: as after the fine-tune; 1: restored; in between: interpolated
  /// Indices of the layers to restore; nullopt: all softmax layers (see `windows`), with kParts all
  /// that have the parts.
  std::optional<std::vector<std::int64_t>> layers{};
  std::set<WeightPart> parts{};  ///< of kParts
  bool complement = false;       ///< of kParts: everything else is restored instead
};

/// "parts q, k", or "all but q, k": what kParts restores.
std::string parts_in_words(const RestoreOptions& options);

}  // namespace niah::models
