// A Hugging Face checkpoint: a folder with config.json and safetensors (single or sharded with an
// index), and maybe a PEFT adapter on top.
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

/// The folder's config and tensor headers; tensor data is mapped, not read. Never trusted: opening
/// throws DataError for a missing or stale shard, an index that points outside the folder or names
/// a tensor that its shard does not hold, weights that are quantised, and everything that
/// parse_safetensors and Adapter refuse. What an adapter does to a tensor is in adapter(): tensor
/// entries and bytes are the folder's own, and read_tensor puts both together.
class Checkpoint {
 public:
  explicit Checkpoint(const CheckpointPath& path);

  const CheckpointPath& path() const { return path_; }
  const std::filesystem::path& folder() const { return path_.folder; }
  /// The adapter on top, or nullptr.
  const Adapter* adapter() const { return adapter_.get(); }
  /// Whether a tensor is another one than the folder's.
  bool is_adapted(std::string_view name) const {
    return adapter_ != nullptr &&
           (adapter_->find(name) != nullptr || (new_head_ != nullptr && name == new_head_->name));
  }
  /// config.json as it is, but for eos_token_id: where generation_config.json names further tokens
  /// that end a text it lists those as well, as generation in transformers takes them; and for
  /// tie_word_embeddings, false where an adapter brings an output head.
  const nlohmann::json& config() const { return config_; }
  /// "hypenet", "jet_nemotron", ...; throws DataError when config.json names none.
  std::string model_type() const;

  /// Names of all tensors, sorted; also of the output head that an adapter brings to a folder
  /// without one.
  std::vector<std::string> tensor_names() const;
  /// The tensor's header entry, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The tensor's bytes, without what an adapter does to it; `tensor` must come from this
  /// checkpoint.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  /// Where the tensor's bytes begin in its file.
  std::uint64_t offset(const TensorInfo& tensor) const;
  /// The file that holds the tensor, for messages.
  std::filesystem::path file_of(std::string_view name) const;
  /// The folder's weight files, in name order.
  std::vector<std::filesystem::path> weight_files() const;

  /// SHA-256 over names, types, shapes and data of all tensors, in name order: the same for every
  /// sharding of the same weights. Reads all data once. With an adapter: adapted_sha256 of the
  /// folder's and the adapter's.
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
  std::unique_ptr<TensorInfo> new_head_;  ///< of the adapter's file, under the name of a model
  std::map<std::string, std::pair<const SafetensorsFile*, const TensorInfo*>, std::less<>> tensors_;
};

/// What of a config counts for the identity of results: all but the fields that only say how or
/// when a checkpoint was made. Fingerprints of runs on disk are made of it. Two configs that
/// compute the same may differ in it: see require_same_model.
nlohmann::json config_identity(nlohmann::json config);

/// The hash of weights with an adapter on top, where that of the weights alone is known.
std::string adapted_sha256(const std::string& weights_sha256, const Adapter& adapter);

/// Parses JSON for the user: DataError with the file, and with line and column where it is not
/// JSON; also for a key that is there twice, nesting too deep to be followed, and a Git LFS
/// pointer.
nlohmann::json parse_json_file(const std::filesystem::path& path, std::string_view doing);
/// The same of a text that was read from `path`.
nlohmann::json parse_json_text(const std::string& text, const std::filesystem::path& path,
                               std::string_view doing);

/// The same of a config.json, in which Python writes a float that JSON has no word for, Infinity:
/// it is read as the string "inf".
nlohmann::json parse_config_file(const std::filesystem::path& path, std::string_view doing);

}  // namespace niah::models
