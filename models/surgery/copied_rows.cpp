#include "models/surgery/copied_rows.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "models/checkpoint/elements.h"

namespace niah::models {
namespace {

using Bytes = std::span<const std::byte>;

std::string hash_of(Bytes bytes) {
  return sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void require_same_shape(const TensorInfo& old, const TensorInfo& now) {
  if (old.shape == now.shape) return;
  throw DataError(fmt::format(
      "restoring: tensor '{}' is {} before the fine-tune and {} after it; these are not "
      "two checkpoints of one model",
      now.name, format_shape(old.shape), format_shape(now.shape)));
}

/// |now - was|_F / |was|_F.
double relative_change(Bytes now, Bytes was, DType type) {
  const double change = std::sqrt(squared_distance(now, was, type));
  const double size = std::sqrt(squared_norm(was, type));
  return size > 0 ? change / size : change;
}

}  // namespace

NewTensor copied_rows(const CheckpointPair& pair, const std::string& name_before,
                      const ChangedTensor& tensor) {
  const Checkpoint &pre = *pair.pre.checkpoint, &post = *pair.post.checkpoint;
  for (const auto& [checkpoint, name] : {std::pair(&pre, &name_before), {&post, &tensor.name}})
    require_floating(*checkpoint, *name);
  const TensorInfo &old = *pre.find(name_before), &now = *post.find(tensor.name);
  require_same_shape(old, now);
  const Bytes before = pre.bytes(old), after = post.bytes(now);
  const auto restored = std::make_shared<std::vector<std::byte>>(after.begin(), after.end());

  const std::size_t numbers =
      now.shape.front() == 0 ? 0 : static_cast<std::size_t>(now.numel() / now.shape.front());
  const auto row_bytes = [&](DType type) { return numbers * dtype_size(type); };
  bool is_finite = true;
  for (const PartRows& part : tensor.rows)
    for (std::int64_t i = 0; i < part.rows.repetitions; ++i) {
      const auto first = static_cast<std::size_t>(part.rows.first + i * part.rows.stride);
      const auto rows = static_cast<std::size_t>(part.rows.rows);
      const Bytes own = before.subspan(first * row_bytes(old.dtype), rows * row_bytes(old.dtype));
      const std::vector<std::byte> stored = converted(own, old.dtype, now.dtype);
      const bool was_finite = all_finite(own, old.dtype);
      if (was_finite && !all_finite(stored, now.dtype)) refuse_too_large(pair, tensor.name);
      is_finite = is_finite && was_finite;
      std::memcpy(restored->data() + first * row_bytes(now.dtype), stored.data(), stored.size());
    }
  if (!is_finite && all_finite(after, now.dtype)) refuse_not_finite(pair, tensor.name);

  NewTensor result;
  result.facts = {.name = tensor.name,
                  .file = {},
                  .relative_change = relative_change(*restored, after, now.dtype),
                  .pre_sha256 = hash_of(before),
                  .post_sha256 = hash_of(after)};
  result.bytes = *restored;
  result.owner = restored;
  release_tensor(pre, name_before);
  release_tensor(post, tensor.name);
  return result;
}

}  // namespace niah::models
