// What a restoration puts back, and where: plain data, for whoever names one without making it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace niah::models {

/// What is taken from the checkpoint before the fine-tune.
enum class RestoreMethod {
  kQk,     ///< W_Q and W_K: QK-Restore
  kQkPro,  ///< W_K, and W_Q moved so that W_Q^T W_K is the old one: the linearised Procrustes form
  kQkProExact,  ///< W_Q and W_K with the old W_Q^T W_K that lie nearest to the fine-tune's
  kQ,           ///< W_Q alone (ablation)
  kK,           ///< W_K alone (ablation)
  kV,           ///< W_V alone (ablation)
};

/// All methods by name, the main ones first.
std::vector<std::string> restore_method_names();
/// "qk", "qk-pro", "qk-pro-exact", "q", "k", "v". Throws UsageError for another name, with the
/// nearest one.
RestoreMethod parse_restore_method(const std::string& name);
std::string restore_method_name(RestoreMethod method);

/// "2,5-8" → 2, 5, 6, 7, 8. Throws UsageError.
std::vector<std::int64_t> parse_layers(const std::string& text);

struct RestoreOptions {
  RestoreMethod method = RestoreMethod::kQk;
  double lambda = 0.1;  ///< ridge of kQkPro
  /// Sliding-window layers, too. They never see far back, so by default they stay as they are.
  bool windows = false;
  double alpha = 1;  ///< 0: as after the fine-tune, 1: restored; in between, interpolated
  /// Layers to restore, by index; nullopt: all softmax layers (sliding windows by `windows`).
  std::optional<std::vector<std::int64_t>> layers{};
};

}  // namespace niah::models
