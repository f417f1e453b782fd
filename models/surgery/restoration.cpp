#include "models/surgery/restoration.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/version.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

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
