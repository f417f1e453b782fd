// A Hugging Face checkpoint folder: config.json, safetensors (single or sharded with an index).
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

#include "models/checkpoint/safetensors.h"

namespace niah::models {

/// The folder's config and tensor headers; tensor data is mapped, not read. Never trusted: opening
/// throws DataError for a missing or stale shard, an index that points outside the folder or names
/// a tensor that its shard does not hold, and everything parse_safetensors refuses.
class Checkpoint {
 public:
  explicit Checkpoint(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  /// config.json as it is.
  const nlohmann::json& config() const { return config_; }
  /// "hypenet", "jet_nemotron", ...; throws DataError when config.json names none.
  std::string model_type() const;

  /// Names of all tensors, sorted.
  std::vector<std::string> tensor_names() const;
  /// The tensor's header entry, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The tensor's bytes; `tensor` must come from this checkpoint.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  /// Where the tensor's bytes begin in its file.
  std::uint64_t offset(const TensorInfo& tensor) const;
  /// The file that holds the tensor, for messages.
  std::filesystem::path file_of(std::string_view name) const;
  /// The weight files, in name order.
  std::vector<std::filesystem::path> weight_files() const;

  /// SHA-256 over names, types, shapes and data of all tensors, in name order: the same for every
  /// sharding of the same weights. Reads all data once.
  std::string weights_sha256() const;

 private:
  void open_files(const std::vector<std::string>& names);
  const SafetensorsFile& holder(const TensorInfo& tensor) const;
  void open_shards(const std::map<std::string, std::string>& weight_map);

  std::filesystem::path folder_;
  nlohmann::json config_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, std::pair<const SafetensorsFile*, const TensorInfo*>, std::less<>> tensors_;
};

/// Throws DataError, listing the fields of config.json that differ, unless the two are checkpoints
/// of one model. Fields that only say how or when a checkpoint was made may differ.
void require_same_model(const std::string& first_name, const nlohmann::json& first,
                        const std::string& other_name, const nlohmann::json& other);
/// A config without those fields.
nlohmann::json comparable_config(nlohmann::json config);

/// Parses JSON for the user: DataError with file, line and column where it is not JSON.
nlohmann::json parse_json_file(const std::filesystem::path& path, std::string_view doing);

}  // namespace niah::models
