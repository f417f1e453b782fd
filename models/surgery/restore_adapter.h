// QK-Restore of a PEFT adapter: the adapter without what it does to W_Q and W_K.
#pragma once

#include <filesystem>

#include "models/surgery/restore_checkpoint.h"

namespace niah::models {

/// Writes `out`: the adapter of `post` without its factors, biases and replaced tensors for the
/// projections that `options` name. Where a tensor holds other rows, too, such as an output gate's
/// beside the query's, only the rows that go back are set to zero in B. Everything else is the same
/// to the byte, other files of the adapter's folder too, but for init_lora_weights of its config
/// where PEFT would else draw the factors that are left out at random. The folder is made under
/// another name and renamed at the end. restore.json says what came from where.
///
/// An adapter can only leave its base as it is. Throws UsageError for a method or an alpha that
/// makes new weights, where the base's own rows are not those of `pre`, where nothing of the
/// adapter would go or nothing would be left, and for DoRA of a tensor that goes back in parts: for
/// those, restore_checkpoint writes a merged checkpoint. Throws what that throws, too.
RestoreSummary restore_adapter(const CheckpointPath& pre, const CheckpointPath& post,
                               const std::filesystem::path& out,
                               const RestoreCheckpointOptions& options);

}  // namespace niah::models
