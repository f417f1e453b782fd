#include "models/surgery/restoration.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/sha256.h"
#include "harness/version.h"
#include "models/surgery/weight_parts.h"
#include "models/weights.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// The q_norm and k_norm that go with what the method restores.
std::vector<PartRows> norm_rows(const MixerInfo& mixer, RestoreMethod method) {
  std::vector<PartRows> rows;
  if (method == RestoreMethod::kV) return rows;
  if (method != RestoreMethod::kK) rows = mixer.of(Part::kQueryNorm);
  if (method != RestoreMethod::kQ)
    for (PartRows& norm : mixer.of(Part::kKeyNorm)) rows.push_back(std::move(norm));
  return rows;
}

/// Refuses an output folder inside `folder`, which would be copied into itself. `kind` says in
/// errors what `folder` is.
void require_outside(const fs::path& out, const fs::path& folder, const char* kind) {
  const std::string inside = canonical_path(out).string() + "/";
  const std::string around = canonical_path(folder).string() + "/";
  if (inside.starts_with(around))
    throw UsageError(fmt::format("restoring: {} lies in the {} {}; choose another --out",
                                 out.string(), kind, folder.string()));
}

/// The last component of a folder's path.
std::string folder_name(const fs::path& folder) { return normal_path(folder).filename().string(); }

}  // namespace

StoredTensor read_stored(const OpenCheckpoint& from, const std::string& name) {
  const at::Tensor stored = read_tensor(from.checkpoint, name).contiguous();
  const std::string sha256 =
      sha256_hex({static_cast<const char*>(stored.const_data_ptr()), stored.nbytes()});
  const at::ScalarType type = stored.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  StoredTensor result{stored.to(type, false, /*copy=*/true), sha256};
  release_tensor(*from.checkpoint, name);
  return result;
}

double norm_of(const at::Tensor& a) {
  const at::Tensor flat = a.reshape({-1});
  return std::sqrt(at::dot(flat, flat).item<double>());  // a single pass, bound by memory speed
}

NamesBefore::NamesBefore(const CheckpointPair& pair)
    : names_(counterparts(pair.post.meta->info(), pair.pre.meta->info())),
      pre_(pair.pre.checkpoint->path().text()) {}

const std::string& NamesBefore::operator()(const std::string& name) const {
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  throw DataError(
      fmt::format("restoring: tensor '{}' has no counterpart in {}, which is laid out in another "
                  "way",
                  name, pre_));
}

bool makes_new_weights(RestoreMethod method) {
  return method == RestoreMethod::kQkPro || method == RestoreMethod::kQkProExact;
}

std::vector<PartRows> changed_rows(const MixerInfo& mixer,
                                   const RestoreCheckpointOptions& options) {
  std::vector<PartRows> rows;
  if (options.norms) rows = norm_rows(mixer, options.restore.method);
  if (options.gates)
    for (PartRows& gate : mixer.of(Part::kGate))
      if (options.biases || !gate.is_bias) rows.push_back(std::move(gate));
  for (PartRows& part : restored_rows(mixer, options.restore.method))
    if (options.biases || !part.is_bias) rows.push_back(std::move(part));
  return rows;
}

std::vector<ChangedTensor> changed_tensors(const ModelInfo& info,
                                           const RestoreCheckpointOptions& options) {
  std::vector<PartRows> rows;
  if (options.restore.method == RestoreMethod::kParts) {
    rows = rows_of_parts(info, options.restore);
    if (!options.biases) std::erase_if(rows, [](const PartRows& part) { return part.is_bias; });
  } else {
    for (const std::int64_t index : choose_layers(info, options.restore, options.linear))
      std::ranges::move(changed_rows(info.mixers[static_cast<std::size_t>(index)], options),
                        std::back_inserter(rows));
  }
  std::map<std::string, std::vector<PartRows>> by_tensor;
  for (const PartRows& part : rows) by_tensor[part.rows.tensor].push_back(part);
  std::vector<ChangedTensor> tensors;
  for (const std::string& name : tensors_of(rows))
    tensors.push_back({name, std::move(by_tensor.at(name))});
  return tensors;
}

std::vector<std::int64_t> layers_of(const ModelInfo& info,
                                    const std::vector<ChangedTensor>& tensors) {
  std::set<std::int64_t> layers;
  const auto placed = parts_by_tensor(info);
  for (const ChangedTensor& tensor : tensors)
    if (const auto layer = placed.at(tensor.name).front().layer) layers.insert(*layer);
  return {layers.begin(), layers.end()};
}

std::vector<std::string> tensors_of(const std::vector<PartRows>& rows) {
  std::vector<std::string> names;
  std::unordered_set<std::string> known;
  for (const PartRows& part : rows)
    if (known.insert(part.rows.tensor).second) names.push_back(part.rows.tensor);
  return names;
}

void require_restorable(const CheckpointPath& pre, const CheckpointPath& post, const fs::path& out,
                        const RestoreOptions& options) {
  if (is_listed(out / kRestoreManifest))
    throw UsageError(fmt::format(
        "restoring: {} holds what an earlier `niah restore` wrote, and nothing is written "
        "over it; choose another --out, or remove it first",
        out.string()));
  require_own_folder(normal_path(out), {}, "restoring");
  for (const CheckpointPath* path : {&pre, &post}) {
    require_outside(out, path->folder, "checkpoint");
    if (path->has_adapter()) require_outside(out, path->adapter, "adapter");
  }
  if (!(options.alpha >= 0 && options.alpha <= 1))
    throw UsageError(
        fmt::format("restoring: alpha {}: between 0 and 1 was expected", options.alpha));
}

std::vector<std::string> prepare_copies(const fs::path& from, const fs::path& to) try {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const fs::path name = entry.path().lexically_relative(from);
    if (name == kRestoreManifest) continue;  // replaced by write_manifest
    if (entry.is_symlink() && is_folder(entry.path())) {
      // Kept as a link: followed, it might lead in a circle.
      fs::create_directory_symlink(fs::canonical(entry.path()), to / name);
    } else if (is_folder(entry.path())) {
      fs::create_directory(to / name);
    } else if (is_there(entry.path()) && entry.is_regular_file()) {
      create_file(to / name, entry.file_size());
      names.push_back(name.string());
    } else {
      throw DataError(fmt::format("restoring: {} is {}, so it cannot be copied; remove it first",
                                  entry.path().string(),
                                  entry.is_symlink() ? "a link that leads to no file or folder"
                                                     : "neither a file nor a folder"));
    }
  }
  return names;
} catch (const fs::filesystem_error& error) {
  throw DataError(
      fmt::format("restoring: copying {}: {}", error.path1().string(), error.code().message()));
}

void write_manifest(const fs::path& folder, const CheckpointPath& pre, const CheckpointPath& post,
                    const RestoreCheckpointOptions& options, RestoreSummary& summary) {
  nlohmann::ordered_json json = {{"niah_version", kVersion},
                                 {"method", restore_method_name(options.restore.method)},
                                 {"pre", folder_name(pre.folder)},
                                 {"post", folder_name(post.folder)}};
  if (pre.has_adapter()) json["pre_adapter"] = folder_name(pre.adapter);
  if (post.has_adapter()) json["post_adapter"] = folder_name(post.adapter);
  json["merge"] = summary.is_merged;
  json["linear"] = options.linear;
  json["windows"] = options.restore.windows;
  json["alpha"] = options.restore.alpha;
  json["biases"] = options.biases;
  json["norms"] = options.norms;
  json["gates"] = options.gates;
  if (options.restore.method == RestoreMethod::kParts) {
    for (const WeightPart part : options.restore.parts)
      json["parts"].push_back(weight_part_name(part));
    json["complement"] = options.restore.complement;
  }
  json["layers"] = summary.layers;
  // Of a complement, the layers of what was left out: not those that were restored.
  if (options.restore.layers) json["given_layers"] = *options.restore.layers;
  if (options.restore.method == RestoreMethod::kQkPro) json["lambda"] = options.restore.lambda;
  if (summary.residual) json["residual"] = *summary.residual;
  if (summary.has_new_initialisation) json["init_lora_weights"] = true;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const RestoredTensor& tensor : summary.tensors)
    json["tensors"].push_back({{"name", tensor.name},
                               {"file", tensor.file},
                               {"relative_change", tensor.relative_change},
                               {"pre_sha256", tensor.pre_sha256},
                               {"post_sha256", tensor.post_sha256}});
  write_file(folder / kRestoreManifest, json.dump(2) + "\n");
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) summary.bytes += static_cast<std::int64_t>(entry.file_size());
}

}  // namespace niah::models
