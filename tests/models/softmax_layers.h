// The softmax layers of a model, by the names of their tensors.
#pragma once

#include <string>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

struct SoftmaxLayer {
  std::int64_t index = 0;
  std::vector<std::string> query, key, value;  ///< weight, then bias where there is one
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, window = 0;
};

inline std::vector<SoftmaxLayer> softmax_layers(const ModelInfo& info) {
  std::vector<SoftmaxLayer> layers;
  for (std::size_t i = 0; i < info.mixers.size(); ++i) {
    const MixerInfo& mixer = info.mixers[i];
    if (!mixer.attends) continue;
    const auto names = [&](Part part) {
      std::vector<std::string> found;
      for (const PartRows& rows : mixer.of(part)) found.push_back(rows.rows.tensor);
      return found;
    };
    layers.push_back({static_cast<std::int64_t>(i), names(Part::kQuery), names(Part::kKey),
                      names(Part::kValue), mixer.heads, mixer.kv_heads, mixer.head_dim,
                      mixer.cost.window});
  }
  return layers;
}

}  // namespace niah::models
