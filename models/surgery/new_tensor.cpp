#include "models/surgery/new_tensor.h"

#include <fmt/format.h>

#include "harness/base/error.h"

namespace niah::models {

void refuse_not_finite(const CheckpointPair& pair, const std::string& name) {
  throw DataError(fmt::format(
      "restoring: tensor '{}' would hold numbers that are not finite, and in {} all are: look for "
      "NaN and infinities in that tensor of {}",
      name, pair.post.checkpoint->path().text(), pair.pre.checkpoint->path().text()));
}

void refuse_too_large(const CheckpointPair& pair, const std::string& name) {
  const Checkpoint& post = *pair.post.checkpoint;
  const DType dtype = post.find(name)->dtype;
  throw DataError(fmt::format(
      "restoring: tensor '{}' has numbers that are too large for the {} in which {} stores it; {}",
      name, dtype_name(dtype), post.file_of(name).string(),
      dtype == DType::kF16 ? std::string("convert that checkpoint to bf16 or fp32 first")
                           : fmt::format("look for numbers without a meaning in that tensor of {}",
                                         pair.pre.checkpoint->path().text())));
}

}  // namespace niah::models
