// Helpers shared by restore_checkpoint and restore_adapter.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restore_checkpoint.h"

namespace niah::models {

/// The file in a restored folder that records what was restored from where.
inline constexpr const char* kRestoreManifest = "restore.json";

/// A tensor's values in fp32 or fp64, and the hash of its bytes as stored.
struct StoredTensor {
  at::Tensor values;
  std::string sha256;
};
/// Reads a tensor with the adapter's change (read_tensor), and releases the file's pages.
StoredTensor read_stored(const OpenCheckpoint& from, const std::string& name);

/// The Frobenius norm |a|_F.
double norm_of(const at::Tensor& a);

/// Maps tensor names of the checkpoint after the fine-tune to those of the one before it.
class NamesBefore {
 public:
  explicit NamesBefore(const CheckpointPair& pair);
  /// Throws DataError if the checkpoint before has no such tensor.
  const std::string& operator()(const std::string& name) const;

 private:
  std::map<std::string, std::string> names_;
  std::string pre_;
};

/// Whether the method computes weights that are in neither checkpoint (QK-Pro).
bool makes_new_weights(RestoreMethod method);

/// The rows of a layer that a restoration with these options writes.
std::vector<PartRows> changed_rows(const MixerInfo& mixer, const RestoreCheckpointOptions& options);

/// The rows of one tensor that are restored.
struct ChangedTensor {
  std::string name;
  std::vector<PartRows> rows;
};

/// All rows of the model that a restoration with these options writes, layer by layer. Throws what
/// choose_layers and rows_of_parts throw.
std::vector<ChangedTensor> changed_tensors(const ModelInfo& info,
                                           const RestoreCheckpointOptions& options);

/// The layers that the tensors belong to, in ascending order.
std::vector<std::int64_t> layers_of(const ModelInfo& info,
                                    const std::vector<ChangedTensor>& tensors);

/// The names of the tensors that `rows` belong to, each once.
std::vector<std::string> tensors_of(const std::vector<PartRows>& rows);

/// Throws UsageError if `out` is not empty or is inside one of the checkpoints or adapters, and for
/// an alpha outside [0, 1].
void require_restorable(const CheckpointPath& pre, const CheckpointPath& post,
                        const std::filesystem::path& out, const RestoreOptions& options);

/// Recreates the folder tree of `from` in `to`, dot files included, kRestoreManifest left out.
/// Files get their full length but no content. Returns their paths relative to `from`.
std::vector<std::string> prepare_copies(const std::filesystem::path& from,
                                        const std::filesystem::path& to);

/// Writes the manifest into `folder` and adds the size of all files there to summary.bytes.
void write_manifest(const std::filesystem::path& folder, const CheckpointPath& pre,
                    const CheckpointPath& post, const RestoreCheckpointOptions& options,
                    RestoreSummary& summary);

}  // namespace niah::models
