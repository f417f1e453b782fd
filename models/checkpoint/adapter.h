// A PEFT LoRA adapter: what it does to which tensors of its base.
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

/// The header entries of a base's tensors, by name.
using TensorTable = std::map<std::string, const TensorInfo*, std::less<>>;

/// What an adapter does to one tensor of its base: the entries are of the adapter's file. Either
/// `replacement` is there, or both factors are.
struct TensorChange {
  const TensorInfo* a = nullptr;  ///< [r, in]
  const TensorInfo* b = nullptr;  ///< [out, r]
  double scale = 0;               ///< W + scale B A
  bool is_embedding = false;      ///< W + scale (B A)^T; a is [r, vocabulary]
  /// DoRA: the rows of the changed W, brought to these lengths; nullptr: as they are.
  const TensorInfo* magnitude = nullptr;
  const TensorInfo* base_copy = nullptr;  ///< W as it was in training, where it was saved, too
  const TensorInfo* replacement = nullptr;

  /// Those that are there.
  std::vector<const TensorInfo*> tensors() const;
};

/// An adapter folder (adapter_config.json, adapter_model.safetensors) that was found to fit a base.
/// Never trusted: opening throws DataError for a config that parse_adapter_config refuses, for
/// tensors that match nothing of the base or fit no tensor's shape, for factors without their
/// counterpart, and where it is not clear what the adapter does to an embedding that serves as the
/// output head, too.
class Adapter {
 public:
  /// `base` are the tensors of the checkpoint `base_name`. Modules are found by their names without
  /// the prefixes `model.` and `language_model.`: a text model and one with a vision tower around
  /// it call the same module by different names.
  Adapter(const std::filesystem::path& folder, const TensorTable& base,
          const std::string& base_name);

  const std::filesystem::path& folder() const { return folder_; }
  const SafetensorsFile& file() const { return *file_; }
  /// What it does to a tensor of the base, or nullptr.
  const TensorChange* find(std::string_view name) const;
  /// The same of all tensors that it changes, by their names in the base.
  const std::map<std::string, TensorChange, std::less<>>& changes() const { return changes_; }
  /// An output head of its own for a base whose embedding serves as one, or nullptr.
  const TensorInfo* new_head() const { return new_head_; }

  /// SHA-256 over what it does: scales, names, types, shapes and data of its tensors.
  std::string sha256() const;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<SafetensorsFile> file_;
  std::map<std::string, TensorChange, std::less<>> changes_;
  const TensorInfo* new_head_ = nullptr;
};

/// What an output head is called; it never has a prefix.
inline constexpr std::string_view kHeadTensor = "lm_head.weight";

}  // namespace niah::models
