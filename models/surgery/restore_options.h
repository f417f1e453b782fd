// What a restoration restores, and in which layers: plain data without libtorch, for configs and
// command lines.
#pragma once

#include <cstdint>
#include <optional>
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
};

/// The names of all methods: "qk", "qk-pro", "qk-pro-exact", "q", "k", "v".
std::vector<std::string> restore_method_names();
/// The method called `name`. Throws UsageError, suggesting the nearest name, if there is none.
RestoreMethod parse_restore_method(const std::string& name);
/// The inverse of parse_restore_method.
std::string restore_method_name(RestoreMethod method);

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
  /// Indices of the layers to restore; nullopt: all softmax layers (see `windows`).
  std::optional<std::vector<std::int64_t>> layers{};
};

}  // namespace niah::models
