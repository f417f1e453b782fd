// QK-Restore on disk: a checkpoint that any engine loads, at the cost of a copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint_path.h"
#include "models/surgery/restore.h"

namespace niah::models {

/// What is restored, and how far.
struct RestoreCheckpointOptions {
  RestoreOptions restore;
  bool linear = false;  ///< the linear layers' projections, too (not with qk-pro)
  bool biases = true;   ///< the projections' biases, too
  bool norms = false;   ///< q_norm and k_norm, too, where the model has them (not with v)
  bool gates = false;   ///< the output gates, too, where the model has them
};

/// One tensor that was changed.
struct RestoredTensor {
  std::string name, file;
  double relative_change = 0;           ///< |new - post| / |post|, Frobenius
  std::string pre_sha256, post_sha256;  ///< of its bytes in either checkpoint
};

/// What was written.
struct RestoreSummary {
  std::vector<std::int64_t> layers;
  std::vector<RestoredTensor> tensors;
  std::int64_t bytes = 0;  ///< of all files of the new checkpoint
  /// qk-pro and qk-pro-exact: |W_Q^T W_K - before| / |before| over the restored layers, before: as
  /// it was before the fine-tune.
  std::optional<double> residual;
  bool is_merged = false;  ///< an adapter of the checkpoint after, into its base
  /// init_lora_weights of the written adapter was set to true: see with_no_change_where_lacking.
  bool has_new_initialisation = false;
};

/// Writes `out`: the checkpoint `post`, with what an adapter on top makes of it merged into it, and
/// projections of its softmax layers taken from `pre`, whose tensors may have other names. Bytes
/// are copied as they are, but for the changed tensors, which are written into their places in
/// `post`'s element types: everything else is the same to the byte, sub-folders and dot files too.
/// With an alpha of 0 no tensor is changed, and none is in the summary.
/// Memory: one layer's projections. The folder is made under another name and renamed at the end;
/// whatever happens before leaves nothing under `out`. restore.json says what came from where.
/// Throws UsageError when `out` holds anything or lies in one of the two, a layer cannot be
/// restored, or an adapter's output head has no place, DataError for checkpoints that are not of
/// one model (with the differences) and for files.
RestoreSummary restore_checkpoint(const CheckpointPath& pre, const CheckpointPath& post,
                                  const std::filesystem::path& out,
                                  const RestoreCheckpointOptions& options);

}  // namespace niah::models
