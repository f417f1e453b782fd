// A PEFT LoRA adapter: which tensors of its base it changes, and how.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint/safetensors.h"

namespace niah::models {

/// The header entries of the base checkpoint's tensors, by name.
using TensorTable = std::map<std::string, const TensorInfo*, std::less<>>;

/// How an adapter changes one tensor W of its base. The pointers refer to header entries of the
/// adapter's file; either `replacement` is set or both factors `a` and `b` are.
struct TensorChange {
  const TensorInfo* a = nullptr;  ///< LoRA A: [r, in]
  const TensorInfo* b = nullptr;  ///< LoRA B: [out, r]
  double scale = 0;               ///< s in W + s B A
  bool is_embedding = false;      ///< W + s (B A)^T, with `a` [r, vocabulary]
  /// DoRA: the norms to which the rows of W + s B A are scaled; nullptr: not DoRA.
  const TensorInfo* magnitude = nullptr;
  const TensorInfo* base_copy = nullptr;  ///< W as it was in training, if the file contains it
  const TensorInfo* replacement = nullptr;

  /// All pointers that are set.
  std::vector<const TensorInfo*> tensors() const;
};

/// An adapter folder (adapter_config.json, adapter_model.safetensors), checked against its base.
/// Never trusted: opening throws DataError for a config that parse_adapter_config refuses, for
/// tensors that match no tensor of the base or have the wrong shape, for a factor without the other
/// one, and if it is not clear how the adapter changes an embedding that also serves as the output
/// head.
class Adapter {
 public:
  /// `base` are the tensors of the checkpoint `base_name`. Modules are matched by their names
  /// without the prefixes `model.` and `language_model.`, because a text model and the same model
  /// with a vision tower use different prefixes.
  Adapter(const std::filesystem::path& folder, const TensorTable& base,
          const std::string& base_name);

  const std::filesystem::path& folder() const { return folder_; }
  const SafetensorsFile& file() const { return *file_; }
  /// The change to the base's tensor `name`, or nullptr.
  const TensorChange* find(std::string_view name) const;
  /// All changes, by tensor name in the base.
  const std::map<std::string, TensorChange, std::less<>>& changes() const { return changes_; }
  /// An output head in the adapter for a base whose embedding serves as the head, or nullptr.
  const TensorInfo* new_head() const { return new_head_; }

  /// SHA-256, in hex, of the adapter's effect: scales, and names, types, shapes and data of its
  /// tensors.
  std::string sha256() const;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<SafetensorsFile> file_;
  std::map<std::string, TensorChange, std::less<>> changes_;
  const TensorInfo* new_head_ = nullptr;
};

/// Name of the output head's weight; it never has a prefix.
inline constexpr std::string_view kHeadTensor = "lm_head.weight";

}  // namespace niah::models
