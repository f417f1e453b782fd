// What writing a restored checkpoint and writing a restored adapter have in common.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restore_checkpoint.h"

namespace niah::models {

/// The file that says what came from where.
inline constexpr const char* kRestoreManifest = "restore.json";

/// A tensor's values, and what its bytes hash to.
struct StoredTensor {
  at::Tensor values;
  std::string sha256;
};
StoredTensor read_stored(const OpenCheckpoint& from, const std::string& name);

/// |a|_F.
double norm_of(const at::Tensor& a);

/// What the checkpoint before the fine-tune calls the tensors of the one after it.
class NamesBefore {
 public:
  explicit NamesBefore(const CheckpointPair& pair);
  /// Throws DataError where it has no such tensor.
  const std::string& operator()(const std::string& name) const;

 private:
  std::map<std::string, std::string> names_;
  std::string pre_;
};

/// Whether the method makes a query or a key that neither checkpoint has.
bool makes_new_weights(RestoreMethod method);

/// The rows of a layer that the options write.
std::vector<PartRows> changed_rows(const MixerInfo& mixer, const RestoreCheckpointOptions& options);

/// Their tensors, each once.
std::vector<std::string> tensors_of(const std::vector<PartRows>& rows);
/// Those of one tensor.
std::vector<PartRows> rows_of(const std::string& tensor, const std::vector<PartRows>& rows);

/// Throws UsageError where `out` holds anything or lies in one of the checkpoints, and for an alpha
/// that is none.
void require_restorable(const CheckpointPath& pre, const CheckpointPath& post,
                        const std::filesystem::path& out, const RestoreOptions& options);

/// Everything below `from` by its path from there, sub-folders and dot files included; the folders
/// are made in `to`, and the files in their full length, without their bytes.
std::vector<std::string> prepare_copies(const std::filesystem::path& from,
                                        const std::filesystem::path& to);

/// Writes the manifest into `folder`, and counts the bytes of all files there.
void write_manifest(const std::filesystem::path& folder, const CheckpointPath& pre,
                    const CheckpointPath& post, const RestoreCheckpointOptions& options,
                    RestoreSummary& summary);

}  // namespace niah::models
