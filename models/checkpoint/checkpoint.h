// A Hugging Face checkpoint: a folder with config.json and safetensors (a single file, or shards
// with an index), optionally with a PEFT adapter on top.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint/adapter.h"
#include "models/checkpoint/checkpoint_path.h"
#include "models/checkpoint/safetensors.h"

namespace niah::models {

/// The config and tensor headers of a folder; tensor data is memory-mapped, not read. Never
/// trusted: opening throws DataError for a missing or stale shard, an index that points outside the
/// folder or names a tensor that its shard does not contain, quantised weights, and everything that
/// parse_safetensors and Adapter refuse. Tensor entries and bytes are those of the folder, without
/// the adapter's changes; read_tensor (models/weights.h) applies them.
class Checkpoint {
 public:
  explicit Checkpoint(const CheckpointPath& path);

  const CheckpointPath& path() const { return path_; }
  const std::filesystem::path& folder() const { return path_.folder; }
  /// The adapter on top, or nullptr.
  const Adapter* adapter() const { return adapter_.get(); }
  /// Whether the adapter changes or adds this tensor.
  bool is_adapted(std::string_view name) const {
    return adapter_ != nullptr &&
           (adapter_->find(name) != nullptr || (new_head_ != nullptr && name == new_head_->name));
  }
  /// The content of config.json with two changes: eos_token_id also lists the end-of-text tokens of
  /// generation_config.json, which generation in transformers honours as well, and
  /// tie_word_embeddings is false if the adapter contains or changes an output head.
  const nlohmann::json& config() const { return config_; }
  /// "hypenet", "jet_nemotron", ...; throws DataError if config.json has no model_type.
  std::string model_type() const;

  /// Names of all tensors, sorted; includes an output head that only the adapter contains.
  std::vector<std::string> tensor_names() const;
  /// The tensor's header entry, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The tensor's bytes, without the adapter's change; `tensor` must come from this checkpoint.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  /// Offset of the tensor's bytes in its file.
  std::uint64_t offset(const TensorInfo& tensor) const;
  /// The file that holds the tensor, for messages.
  std::filesystem::path file_of(std::string_view name) const;
  /// The folder's weight files, in name order.
  std::vector<std::filesystem::path> weight_files() const;

  /// SHA-256, in hex, of the names, types, shapes and data of all tensors in name order; it does
  /// not depend on the sharding. Reads all data once. With an adapter: adapted_sha256 of that hash.
  std::string weights_sha256() const;

 private:
  void add_end_of_text(const std::filesystem::path& generation_config);
  void open_files(const std::vector<std::string>& names);
  const SafetensorsFile& holder(const TensorInfo& tensor) const;
  void open_shards(const std::map<std::string, std::string>& weight_map);
  void open_adapter();

  CheckpointPath path_;
  nlohmann::json config_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::unique_ptr<Adapter> adapter_;
  std::unique_ptr<TensorInfo> new_head_;  ///< in the adapter's file, renamed to kHeadTensor
  std::map<std::string, std::pair<const SafetensorsFile*, const TensorInfo*>, std::less<>> tensors_;
};

/// Throws DataError, with file and type, unless the tensor holds floating-point numbers.
void require_floating(const Checkpoint& checkpoint, const std::string& name);
/// Tells the operating system that the mapped pages of this tensor may leave memory.
void release_tensor(const Checkpoint& checkpoint, const std::string& name);

/// The part of a config that identifies results: all fields except those about how the checkpoint
/// was saved. Fingerprints of run folders depend on it. Two configs that compute the same may still
/// differ in it; see require_same_model.
nlohmann::json config_identity(nlohmann::json config);

/// The hash of a checkpoint with an adapter, from the hash of its weights alone.
std::string adapted_sha256(const std::string& weights_sha256, const Adapter& adapter);

/// Parses a JSON file; `doing` says in errors what it is read for. Throws DataError naming the
/// file, and line and column of a syntax error; also for a duplicate key, nesting that is too deep,
/// and a Git LFS pointer.
nlohmann::json parse_json_file(const std::filesystem::path& path, std::string_view doing);
/// The same for a text that was read from `path`.
nlohmann::json parse_json_text(const std::string& text, const std::filesystem::path& path,
                               std::string_view doing);

/// The same for a config.json, where Python may have written the bare word Infinity, which is not
/// JSON: it becomes the string "inf".
nlohmann::json parse_config_file(const std::filesystem::path& path, std::string_view doing);

}  // namespace niah::models
