// A tensor of the checkpoint that a restoration writes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "models/surgery/checkpoint_pair.h"

namespace niah::models {

/// One tensor that was changed.
struct RestoredTensor {
  std::string name, file;
  double relative_change = 0;           ///< |new - post|_F / |post|_F
  std::string pre_sha256, post_sha256;  ///< of its bytes in each checkpoint
};

/// Its bytes, in the element type of the checkpoint after the fine-tune.
struct NewTensor {
  RestoredTensor facts;  ///< without the file
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive
};

/// Throws DataError: numbers that are not finite would be restored where all are finite now.
[[noreturn]] void refuse_not_finite(const CheckpointPair& pair, const std::string& name);

/// Throws DataError: restored numbers are too large for the element type after the fine-tune.
[[noreturn]] void refuse_too_large(const CheckpointPair& pair, const std::string& name);

}  // namespace niah::models
