#include "models/checkpoint/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>

#include "harness/base/error.h"
#include "harness/base/memory.h"
#include "harness/base/path_kind.h"
#include "harness/base/sha256.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "models/checkpoint/adapter_config.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kGeneration = "generation_config.json";

/// A shard must be named by a plain file name, so that an index cannot point outside its folder.
void check_shard_name(const fs::path& index, const std::string& shard) {
  const fs::path name(shard);
  const bool plain = !shard.empty() && name.filename() == name && shard != "." && shard != ".." &&
                     shard.find('\0') == std::string::npos;
  if (plain && shard.ends_with(".safetensors")) return;
  throw DataError(fmt::format(
      "reading {}: the index names the file '{}'; only .safetensors files of the same folder are "
      "accepted",
      index.string(), valid_utf8(shard)));
}

std::map<std::string, std::string> read_index(const fs::path& path) {
  const json index = parse_json_file(path, "reading the shard index");
  const auto found = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || found == index.end() || !found->is_object() || found->empty())
    throw DataError(fmt::format("reading {}: it has no weight_map object", path.string()));
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : found->items()) {
    if (!file.is_string())
      throw DataError(fmt::format("reading {}: the weight_map entry of '{}' is not a file name",
                                  path.string(), valid_utf8(name)));
    check_shard_name(path, file.get<std::string>());
    map.emplace(name, file.get<std::string>());
  }
  return map;
}

/// M of "…-00001-of-0000M.safetensors"; 0 for other names.
std::size_t shard_count(const std::string& name) {
  const std::size_t of = name.rfind("-of-");
  return of == std::string::npos ? 0 : std::strtoul(name.c_str() + of + 4, nullptr, 10);
}

/// The weight files of a folder without an index, in name order.
std::vector<std::string> find_shards(const fs::path& folder) {
  if (is_listed(folder / kSingle)) return {kSingle};
  std::vector<std::string> shards;
  bool pickled = false;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".safetensors") shards.push_back(entry.path().filename().string());
    pickled = pickled || extension == ".bin" || extension == ".pt";
  }
  if (shards.empty())
    throw DataError(fmt::format(
        "opening the checkpoint {}: it holds no .safetensors file; {}, or shards and their index, "
        "are expected{}",
        folder.string(), kSingle,
        pickled ? "; its weights are pickled, save them with safe_serialization=True first" : ""));
  // If there are numbered shards, other safetensors files are not part of the checkpoint.
  const auto numbered = [](const std::string& name) { return shard_count(name) > 0; };
  if (std::any_of(shards.begin(), shards.end(), numbered))
    std::erase_if(shards, std::not_fn(numbered));
  std::sort(shards.begin(), shards.end());
  for (const std::string& shard : shards)
    if (shard_count(shard) > shards.size())
      throw DataError(fmt::format(
          "opening the checkpoint {}: only {} of the {} shards that the name {} implies are "
          "there, and there is no {}",
          folder.string(), shards.size(), shard_count(shard), shard, kIndex));
  return shards;
}

}  // namespace

json parse_json_text(const std::string& text, const fs::path& path, std::string_view doing) {
  refuse_lfs_pointer(text, path, doing);
  try {
    return parse_strict_json(text);
  } catch (const JsonError& error) {
    if (error.byte() == 0)
      throw DataError(fmt::format("{}: {}: {}", doing, path.string(), error.what()));
    const TextPlace place = place_of_byte(text, error.byte() - 1);
    throw DataError(fmt::format("{}: {}:{}:{}: not valid JSON", doing, path.string(), place.line,
                                place.column));
  }
}

namespace {

/// Replaces the bare word Infinity, which Python writes but JSON lacks, by a string of the same
/// length, so that positions in error messages stay correct.
std::string with_infinity_as_string(std::string text) {
  constexpr std::string_view kWord = "Infinity", kString = "\"inf\"   ";
  static_assert(kWord.size() == kString.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && text.compare(i, kWord.size(), kWord) == 0) {
      text.replace(i, kWord.size(), kString);
      i += kString.size() - 1;
    }
  }
  return text;
}

}  // namespace

json parse_json_file(const fs::path& path, std::string_view doing) {
  return parse_json_text(read_file(path, doing), path, doing);
}

json parse_config_file(const fs::path& path, std::string_view doing) {
  return parse_json_text(with_infinity_as_string(read_file(path, doing)), path, doing);
}

namespace {

/// A hint for a folder without config.json; may be empty.
std::string why_no_checkpoint(const fs::path& folder) {
  if (is_there(folder / kAdapterConfig))
    return "; it is a PEFT adapter: name its base as the checkpoint, and it as the adapter";
  if (is_folder(folder / "snapshots"))
    return "; it is a model of the hub's cache: name one of the folders in its snapshots";
  return "";
}

/// Quantised weights mean something only to the program that made them.
void refuse_quantised(const json& config, const fs::path& file) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return;
  const json method = found->is_object() ? found->value("quant_method", json()) : json();
  throw DataError(fmt::format(
      "reading {}: quantization_config: its weights are quantised{}, and only fp32, fp16 and bf16 "
      "are computed here; name the checkpoint that it was made from, or save it dequantised "
      "(model.dequantize() in transformers)",
      file.string(),
      method.is_string() ? fmt::format(" ({})", valid_utf8(method.get<std::string>().substr(0, 80)))
                         : ""));
}

}  // namespace

Checkpoint::Checkpoint(const CheckpointPath& path) : path_(path) {
  const fs::path& folder = path_.folder;
  if (!is_folder(folder))
    throw DataError(fmt::format(
        "opening the checkpoint {}: no such folder; a Hugging Face folder with config.json and "
        "{} is expected",
        folder.string(), kSingle));
  const fs::path config = folder / "config.json";
  if (!is_listed(config))
    throw DataError(fmt::format("opening the checkpoint {}: it has no config.json{}",
                                folder.string(), why_no_checkpoint(folder)));
  config_ = parse_config_file(config, "reading the model config");
  if (!config_.is_object())
    throw DataError(fmt::format("reading {}: a JSON object was expected", config.string()));
  refuse_quantised(config_, config);
  if (is_listed(folder / kGeneration)) add_end_of_text(folder / kGeneration);

  if (!is_listed(folder / kSingle) && is_listed(folder / kIndex))
    open_shards(read_index(folder / kIndex));
  else
    open_files(find_shards(folder));
  if (path_.has_adapter()) open_adapter();
}

void Checkpoint::open_adapter() {
  TensorTable base;
  for (const auto& [name, place] : tensors_) base.emplace(name, place.second);
  adapter_ = std::make_unique<Adapter>(path_.adapter, base, folder().string());
  if (const TensorInfo* head = adapter_->new_head()) {
    new_head_ = std::make_unique<TensorInfo>(*head);
    new_head_->name = kHeadTensor;
    tensors_.emplace(new_head_->name, std::pair{&adapter_->file(), new_head_.get()});
  }
  if (new_head_ == nullptr && adapter_->find(kHeadTensor) == nullptr) return;
  // The head is no longer tied to the embedding. Older LFM2 configs call the field tie_embedding.
  const auto untie = [](json& config) {
    config["tie_word_embeddings"] = false;
    if (config.contains("tie_embedding")) config["tie_embedding"] = false;
  };
  untie(config_);
  if (const auto text = config_.find("text_config"); text != config_.end() && text->is_object())
    untie(*text);
}

/// Generation ends at the ids of either file. config_ is left as it is if there are no new ones.
void Checkpoint::add_end_of_text(const fs::path& file) {
  const json generation = parse_json_file(file, "reading the generation config");
  if (!generation.is_object())
    throw DataError(fmt::format("reading {}: a JSON object was expected", file.string()));
  const auto more = generation.find("eos_token_id");
  if (more == generation.end() || more->is_null()) return;
  const json own = config_.value("eos_token_id", json());
  json all = own.is_array() ? own : own.is_null() ? json::array() : json::array({own});
  const std::size_t before = all.size();
  for (const json& id : more->is_array() ? *more : json::array({*more})) {
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 31;
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kLimit)
      throw DataError(fmt::format(
          "reading {}: eos_token_id: a token id or a list of them was expected, found {}",
          file.string(), json_line(id)));
    if (std::find(all.begin(), all.end(), id) == all.end()) all.push_back(id);
  }
  if (all.size() > before) config_["eos_token_id"] = all;
}

void Checkpoint::open_files(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    files_.push_back(std::make_unique<SafetensorsFile>(folder() / name));
    for (const TensorInfo& tensor : files_.back()->tensors()) {
      const auto [place, is_new] =
          tensors_.emplace(tensor.name, std::pair{files_.back().get(), &tensor});
      if (!is_new)
        throw DataError(fmt::format(
            "opening the checkpoint {}: {} and {} both hold tensor '{}', and there is no {} to say "
            "which one counts",
            folder().string(), place->second.first->path().filename().string(), name,
            valid_utf8(tensor.name), kIndex));
    }
  }
}

void Checkpoint::open_shards(const std::map<std::string, std::string>& weight_map) {
  std::set<std::string> shards;
  for (const auto& [name, shard] : weight_map) shards.insert(shard);
  std::vector<std::string> missing;
  for (const std::string& shard : shards)
    if (!is_there(folder() / shard)) missing.push_back(shard);
  if (!missing.empty())
    throw DataError(fmt::format(
        "opening the checkpoint {}: {} of {} shards named by {} are missing: {}", folder().string(),
        missing.size(), shards.size(), kIndex, fmt::join(missing, ", ")));
  std::map<std::string, const SafetensorsFile*> opened;
  for (const std::string& shard : shards) {
    files_.push_back(std::make_unique<SafetensorsFile>(folder() / shard));
    opened.emplace(shard, files_.back().get());
  }
  for (const auto& [name, shard] : weight_map) {
    const SafetensorsFile* file = opened.at(shard);
    const TensorInfo* tensor = file->find(name);
    if (tensor == nullptr)
      throw DataError(
          fmt::format("opening the checkpoint {}: {} says that tensor '{}' is in {}, which does "
                      "not hold it: the "
                      "index and the shards are of different versions",
                      folder().string(), kIndex, valid_utf8(name), shard));
    tensors_.emplace(name, std::pair{file, tensor});
  }
  for (const auto& file : files_)
    for (const TensorInfo& tensor : file->tensors()) {
      const auto found = tensors_.find(tensor.name);
      if (found == tensors_.end() || found->second.first != file.get())
        throw DataError(fmt::format(
            "opening the checkpoint {}: {} holds tensor '{}', which {} does not place there: the "
            "index and the shards are of different versions",
            folder().string(), file->path().filename().string(), valid_utf8(tensor.name), kIndex));
    }
}

std::string Checkpoint::model_type() const {
  const auto found = config_.find("model_type");
  if (found == config_.end() || !found->is_string())
    throw DataError(
        fmt::format("reading {}: it has no model_type", (folder() / "config.json").string()));
  return found->get<std::string>();
}

std::vector<std::string> Checkpoint::tensor_names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, place] : tensors_) names.push_back(name);
  return names;
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second.second;
}

const SafetensorsFile& Checkpoint::holder(const TensorInfo& tensor) const {
  const auto found = tensors_.find(tensor.name);
  check(found != tensors_.end() && found->second.second == &tensor,
        "a tensor of another checkpoint");
  return *found->second.first;
}

std::span<const std::byte> Checkpoint::bytes(const TensorInfo& tensor) const {
  return holder(tensor).bytes(tensor);
}

std::uint64_t Checkpoint::offset(const TensorInfo& tensor) const {
  return holder(tensor).offset(tensor);
}

fs::path Checkpoint::file_of(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? folder() : found->second.first->path();
}

std::vector<fs::path> Checkpoint::weight_files() const {
  std::vector<fs::path> paths;
  for (const auto& file : files_) paths.push_back(file->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string Checkpoint::weights_sha256() const {
  Sha256 hash;
  for (const auto& [name, place] : tensors_) {
    if (place.second == new_head_.get()) continue;  // the adapter's hash covers it
    const auto& [file, tensor] = place;
    hash.update(
        fmt::format("{} {} {}\n", name, dtype_name(tensor->dtype), format_shape(tensor->shape)));
    const auto data = file->bytes(*tensor);
    hash.update({reinterpret_cast<const char*>(data.data()), data.size()});
    release_pages(data.data(), data.size());
  }
  return adapter_ == nullptr ? hash.hex() : adapted_sha256(hash.hex(), *adapter_);
}

std::string adapted_sha256(const std::string& weights_sha256, const Adapter& adapter) {
  return sha256_hex(fmt::format("{} with {}", weights_sha256, adapter.sha256()));
}

void require_floating(const Checkpoint& checkpoint, const std::string& name) {
  const DType dtype = checkpoint.find(name)->dtype;
  if (is_floating(dtype)) return;
  throw DataError(
      fmt::format("loading {}: tensor '{}' has dtype {}; weights are F64, F32, F16 or BF16, "
                  "and quantised ones have to be saved dequantised first",
                  checkpoint.file_of(name).string(), valid_utf8(name), dtype_name(dtype)));
}

void release_tensor(const Checkpoint& checkpoint, const std::string& name) {
  const auto bytes = checkpoint.bytes(*checkpoint.find(name));
  release_pages(bytes.data(), bytes.size());
}

json config_identity(json config) {
  for (const char* field : {"_name_or_path", "transformers_version", "torch_dtype", "dtype"})
    config.erase(field);
  return config;
}

}  // namespace niah::models
