// QK-Restore on disk: writes a restored checkpoint that any inference engine can load.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"
#include "models/surgery/new_tensor.h"
#include "models/surgery/restored_rows.h"

namespace niah::models {

/// What was written.
struct RestoreSummary {
  std::vector<std::int64_t> layers;
  std::vector<RestoredTensor> tensors;
  std::int64_t bytes = 0;  ///< of all files of the new checkpoint
  /// qk-pro and qk-pro-exact: |R - R_pre|_F / |R_pre|_F over the restored layers, R = W_Q^T W_K.
  std::optional<double> residual;
  bool is_merged = false;  ///< whether the adapter of `post` was merged into its base
  /// Whether init_lora_weights of the written adapter was set to true; see
  /// with_no_change_where_lacking.
  bool has_new_initialisation = false;
};

/// Writes `out`: the checkpoint `post`, its adapter merged if it has one, with the projections of
/// the chosen layers restored from `pre`, whose tensors may have other names. Changed tensors are
/// written in the element types of `post`; everything else is the same to the byte, including
/// sub-folders and dot files. With alpha 0 no tensor is restored, and the summary lists none.
/// Needs memory for one layer's projections. The folder is written under another name and renamed
/// at the end, so a failure leaves nothing at `out`. restore.json records what was restored.
/// Throws UsageError if `out` is not empty or is inside one of the checkpoints, if a layer cannot
/// be restored, or if the base has no place for the adapter's output head; DataError, listing the
/// differences, for checkpoints of different models, and for files that cannot be read or written.
RestoreSummary restore_checkpoint(const CheckpointPath& pre, const CheckpointPath& post,
                                  const std::filesystem::path& out,
                                  const RestoreCheckpointOptions& options);

}  // namespace niah::models
