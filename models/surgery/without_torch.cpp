// What of surgery computes weights, in a program that is built without libtorch: it refuses.
#include <fmt/format.h>

#include "harness/base/error.h"
#include "models/surgery/computed_weights.h"
#include "models/surgery/restore_adapter.h"

namespace niah::models {

void require_libtorch(const std::string& what) {
  throw DataError(
      fmt::format("restoring: {} needs arithmetic of libtorch, and this program was built without "
                  "it, so it copies alone (qk, q, k, v and parts, between checkpoints without "
                  "adapters); build with cmake --preset release",
                  what));
}

std::vector<NewTensor> ComputedWeights::restored(const MixerInfo&, const std::vector<PartRows>&) {
  require_libtorch("this");
  return {};
}

NewTensor ComputedWeights::merged(const std::string&) const {
  require_libtorch("an adapter");
  return {};
}

std::optional<double> ComputedWeights::residual() const { return std::nullopt; }

RestoreSummary restore_adapter(const CheckpointPath&, const CheckpointPath&,
                               const std::filesystem::path&, const RestoreCheckpointOptions&) {
  require_libtorch("an adapter");
  return {};
}

}  // namespace niah::models
