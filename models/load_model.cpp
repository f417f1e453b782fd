#include "models/load_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <vector>

#include "harness/base/error.h"
#include "models/device.h"
#include "models/registry.h"
#include "models/tied_head.h"

namespace niah::models {

WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const CausalLM& model) {
  std::vector<std::string> names = model.named_parameters().keys();
  const std::string& head = model.info().tied_head;
  if (!head.empty() && checkpoint->find(head) != nullptr) names.push_back(head);
  return load_weights(checkpoint, dtype, names);
}

void resolve_tied_head(const ModelInfo& info, const std::string& label, WeightMap& weights) {
  const auto head = weights.find(info.tied_head);
  if (info.tied_head.empty() || head == weights.end()) return;
  const auto embedding = weights.find(embedding_tensor(info));
  if (embedding != weights.end() && !at::equal(head->second, embedding->second))
    refuse_other_head(label, head->first, embedding->first);
  weights.erase(head);
}

std::shared_ptr<CausalLM> load_model(const CheckpointPath& path, at::ScalarType dtype,
                                     const nlohmann::json& override, at::Device device) {
  const auto checkpoint = std::make_shared<Checkpoint>(path);
  const nlohmann::json config = override_config(checkpoint->config(), override);
  const auto meta = check_tensors(*checkpoint, config);
  WeightMap weights = load_weights(checkpoint, dtype, *meta);
  resolve_tied_head(meta->info(), path.text(), weights);
  return build_model(config, path.text(), Placement(device)(weights));
}

}  // namespace niah::models
