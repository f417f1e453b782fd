// Helpers shared by restore_checkpoint and restore_adapter.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "models/surgery/checkpoint_files.h"
#include "models/surgery/checkpoint_pair.h"
#include "models/surgery/restore_checkpoint.h"

namespace niah::models {

/// Throws UsageError if `out` is not empty or is inside one of the checkpoints or adapters, and for
/// an alpha outside [0, 1].
void require_restorable(const CheckpointPath& pre, const CheckpointPath& post,
                        const std::filesystem::path& out, const RestoreOptions& options);

/// Writes the manifest into `folder` and adds the size of all files there to summary.bytes.
void write_manifest(const std::filesystem::path& folder, const CheckpointPath& pre,
                    const CheckpointPath& post, const RestoreCheckpointOptions& options,
                    RestoreSummary& summary);

}  // namespace niah::models
