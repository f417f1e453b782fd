#include "models/surgery/computed_weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "harness/base/error.h"
#include "models/surgery/restore.h"
#include "models/surgery/stored_tensor.h"
#include "models/weights.h"

namespace niah::models {
namespace {

bool all_finite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

/// |R - R_before|^2 and |R_before|^2 with R = W_Q^T W_K, summed over a layer's heads. Only needs
/// d_head x d_head matrices, because <A^T B, C^T D> = <A C^T, B D^T>.
std::pair<double, double> routing_change(const WeightMap& restored, const WeightMap& before,
                                         const MixerInfo& mixer) {
  const std::int64_t share = mixer.heads / mixer.kv_heads;
  const auto inner = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                        const at::Tensor& d) {
    return (at::matmul(a, c.transpose(-2, -1)) * at::matmul(b, d.transpose(-2, -1)))
        .sum()
        .item<double>();
  };
  const auto few = [](const at::Tensor& heads, std::int64_t first, std::int64_t count) {
    return heads.narrow(0, first, count).to(at::kDouble);
  };
  double change = 0, size = 0;
  for (std::int64_t head = 0; head < mixer.kv_heads; ++head) {  // one at a time to save memory
    const at::Tensor query = few(query_heads(restored, mixer), head * share, share);
    const at::Tensor old_query = few(query_heads(before, mixer), head * share, share);
    const at::Tensor key = few(key_heads(restored, mixer), head, 1);
    const at::Tensor old_key = few(key_heads(before, mixer), head, 1);
    // R - R_before = (W_Q - old)^T W_K + old^T (W_K - old) avoids cancellation.
    const at::Tensor dq = query - old_query, dk = key - old_key;
    change += inner(dq, key, dq, key) + 2 * inner(dq, key, old_query, dk) +
              inner(old_query, dk, old_query, dk);
    size += inner(old_query, old_key, old_query, old_key);
  }
  return {std::max(0.0, change), size};
}

/// An adapter may contain NaN, or lead to values too large for the base's element type.
void require_finite(const Checkpoint& post, const std::string& name, const at::Tensor& stored) {
  if (!post.is_adapted(name) || all_finite(stored)) return;
  throw DataError(fmt::format(
      "restoring: tensor '{}' of {} with the adapter {} has numbers that are not finite as {}; "
      "look for NaN and very large numbers in the adapter, or convert the base to fp32 first",
      name, post.folder().string(), post.adapter()->folder().string(),
      dtype_name(post.find(name)->dtype)));
}

/// `values`, which are contiguous, as they are written.
NewTensor to_write(RestoredTensor facts, const at::Tensor& values) {
  const auto owner = std::make_shared<const at::Tensor>(values);
  return {std::move(facts),
          {static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()},
          owner};
}

/// One tensor, whose values are `restored`.
NewTensor to_write(const CheckpointPair& pair, const std::string& name, const at::Tensor& restored,
                   const StoredTensor& old, const StoredTensor& now) {
  const at::Tensor& post = now.values;
  const DType dtype = pair.post.checkpoint->find(name)->dtype;
  const at::Tensor stored = restored.to(scalar_type(dtype)).contiguous();
  const bool is_finite = all_finite(restored);
  if (!is_finite && all_finite(post)) refuse_not_finite(pair, name);
  if (is_finite && !all_finite(stored)) refuse_too_large(pair, name);
  require_finite(*pair.post.checkpoint, name, stored);
  const double size = norm_of(post);
  const double change = norm_of(stored.to(post.scalar_type()) - post);
  return to_write({name, "", size > 0 ? change / size : change, old.sha256, now.sha256}, stored);
}

}  // namespace

void require_libtorch(const std::string&) {}

std::vector<NewTensor> ComputedWeights::restored(const MixerInfo& mixer,
                                                 const std::vector<PartRows>& rows) {
  std::map<std::string, std::pair<StoredTensor, StoredTensor>> stored;  // before and after
  WeightMap before, after;
  for (const std::string& name : tensors_of(rows)) {
    const auto& [old, now] =
        stored[name] = {read_stored(pair_.pre, name_before_(name)), read_stored(pair_.post, name)};
    before.emplace(name, old.values);
    after.emplace(name, now.values);
  }
  restore_rows(before, after, mixer, rows, options_);
  if (makes_new_weights(options_.method)) {
    const auto [change, size] = routing_change(after, before, mixer);
    routing_change_ += change;
    routing_size_ += size;
  }
  std::vector<NewTensor> tensors;
  for (const std::string& name : tensors_of(rows))
    tensors.push_back(
        to_write(pair_, name, after.at(name), stored.at(name).first, stored.at(name).second));
  return tensors;
}

NewTensor ComputedWeights::merged(const std::string& name) const {
  const at::Tensor merged = read_tensor(pair_.post.checkpoint, name).contiguous();
  require_finite(*pair_.post.checkpoint, name, merged);
  release_tensor(*pair_.post.checkpoint, name);
  RestoredTensor facts;
  facts.name = name;
  return to_write(std::move(facts), merged);
}

std::optional<double> ComputedWeights::residual() const {
  if (routing_size_ == 0) return std::nullopt;
  return std::sqrt(routing_change_ / routing_size_);
}

}  // namespace niah::models
