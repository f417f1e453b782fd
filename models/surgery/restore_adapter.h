// QK-Restore of a PEFT adapter: the adapter without its changes to W_Q and W_K.
#pragma once

#include <filesystem>

#include "models/surgery/restore_checkpoint.h"

namespace niah::models {

/// Writes `out`: the adapter of `post` without its factors, biases and replaced tensors for the
/// projections that `options` select. If a tensor also contains other rows (a query projection with
/// an output gate, for example), only the restored rows are set to zero in B. Everything else is
/// the same to the byte, including other files in the adapter's folder, except init_lora_weights in
/// its config if PEFT would otherwise initialise the removed factors at random. The folder is
/// written under another name and renamed at the end. restore.json records what was restored.
///
/// Without its change, an adapter leaves the base as it is; it cannot hold other weights. So throws
/// UsageError for a method or an alpha that computes new weights, if the base's rows differ from
/// those of `pre`, if nothing would be removed or nothing would be left, and for DoRA of a tensor
/// that is restored in part; restore_checkpoint can write a merged checkpoint in these cases. Also
/// throws what restore_checkpoint throws.
RestoreSummary restore_adapter(const CheckpointPath& pre, const CheckpointPath& post,
                               const std::filesystem::path& out,
                               const RestoreCheckpointOptions& options);

}  // namespace niah::models
