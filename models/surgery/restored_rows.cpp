#include "models/surgery/restored_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "harness/base/error.h"
#include "models/surgery/weight_parts.h"

namespace niah::models {
namespace {

bool has_projections(const MixerInfo& mixer) {
  return !mixer.of(Part::kQuery).empty() || !mixer.of(Part::kKey).empty() ||
         !mixer.of(Part::kValue).empty();
}

/// "0, 1, 2 and 61 others", because a range may name very many layers.
std::string first_of(const std::set<std::int64_t>& layers) {
  constexpr std::size_t kShown = 10;
  std::vector<std::int64_t> shown;
  std::copy_n(layers.begin(), std::min(kShown, layers.size()), std::back_inserter(shown));
  const std::size_t others = layers.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     others > 0 ? fmt::format(" and {} others", others) : "");
}

/// The q_norm and k_norm that go with what the method restores.
std::vector<PartRows> norm_rows(const MixerInfo& mixer, RestoreMethod method) {
  std::vector<PartRows> rows;
  if (method == RestoreMethod::kV) return rows;
  if (method != RestoreMethod::kK) rows = mixer.of(Part::kQueryNorm);
  if (method != RestoreMethod::kQ)
    for (PartRows& norm : mixer.of(Part::kKeyNorm)) rows.push_back(std::move(norm));
  return rows;
}

}  // namespace

bool makes_new_weights(RestoreMethod method) {
  return method == RestoreMethod::kQkPro || method == RestoreMethod::kQkProExact;
}

PartRows weight_of(const MixerInfo& mixer, Part part) { return mixer.of(part).front(); }

std::vector<std::int64_t> choose_layers(const ModelInfo& info, const RestoreOptions& options,
                                        bool linear) {
  if (linear && makes_new_weights(options.method))
    throw UsageError(
        "restoring: qk-pro applies to softmax(Q K^T) only; linear layers can only be copied (qk, "
        "q, k, v)");
  std::set<std::int64_t> wanted;
  if (options.layers) wanted.insert(options.layers->begin(), options.layers->end());
  std::vector<std::int64_t> chosen, known;
  for (std::size_t i = 0; i < info.mixers.size(); ++i) {
    const MixerInfo& mixer = info.mixers[i];
    if (!mixer.attends && !(linear && has_projections(mixer))) continue;
    const auto index = static_cast<std::int64_t>(i);
    known.push_back(index);
    const bool by_default = mixer.cost.window == 0 || options.windows;
    if (options.layers ? wanted.erase(index) > 0 : by_default) chosen.push_back(index);
  }
  if (!wanted.empty() && !known.empty())
    throw UsageError(fmt::format(
        "restoring: {} {} cannot be restored; of this model's layers 0 to {} these can: {}",
        wanted.size() == 1 ? "layer" : "layers", first_of(wanted), info.mixers.size() - 1,
        fmt::join(known, ", ")));
  if (chosen.empty()) throw UsageError("restoring: the model has no softmax layer to restore");
  for (const std::int64_t index : chosen)
    if (makes_new_weights(options.method) &&
        !info.mixers[static_cast<std::size_t>(index)].has_plain_routing)
      throw UsageError(fmt::format(
          "restoring: {} moves W_Q against W_K, but in layer {} of this model more than W_Q^T W_K "
          "decides where a head looks; only copies are possible there (qk, q, k, v)",
          restore_method_name(options.method), index));
  return chosen;
}

std::vector<PartRows> restored_rows(const MixerInfo& mixer, RestoreMethod method) {
  std::vector<PartRows> rows;
  const auto add = [&](const std::vector<PartRows>& more) {
    rows.insert(rows.end(), more.begin(), more.end());
  };
  switch (method) {
    case RestoreMethod::kQk:
      add(mixer.of(Part::kQuery));
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kQkPro:
      add({weight_of(mixer, Part::kQuery)});
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kQkProExact:
      add({weight_of(mixer, Part::kQuery), weight_of(mixer, Part::kKey)});
      break;
    case RestoreMethod::kQ:
      add(mixer.of(Part::kQuery));
      break;
    case RestoreMethod::kK:
      add(mixer.of(Part::kKey));
      break;
    case RestoreMethod::kV:
      add(mixer.of(Part::kValue));
      break;
    case RestoreMethod::kParts:
      break;  // see rows_of_parts
  }
  return rows;
}

std::vector<PartRows> changed_rows(const MixerInfo& mixer,
                                   const RestoreCheckpointOptions& options) {
  std::vector<PartRows> rows;
  if (options.norms) rows = norm_rows(mixer, options.restore.method);
  if (options.gates)
    for (PartRows& gate : mixer.of(Part::kGate))
      if (options.biases || !gate.is_bias) rows.push_back(std::move(gate));
  for (PartRows& part : restored_rows(mixer, options.restore.method))
    if (options.biases || !part.is_bias) rows.push_back(std::move(part));
  return rows;
}

std::vector<ChangedTensor> changed_tensors(const ModelInfo& info,
                                           const RestoreCheckpointOptions& options) {
  std::vector<PartRows> rows;
  if (options.restore.method == RestoreMethod::kParts) {
    rows = rows_of_parts(info, options.restore);
    if (!options.biases) std::erase_if(rows, [](const PartRows& part) { return part.is_bias; });
  } else {
    for (const std::int64_t index : choose_layers(info, options.restore, options.linear))
      std::ranges::move(changed_rows(info.mixers[static_cast<std::size_t>(index)], options),
                        std::back_inserter(rows));
  }
  std::map<std::string, std::vector<PartRows>> by_tensor;
  for (const PartRows& part : rows) by_tensor[part.rows.tensor].push_back(part);
  std::vector<ChangedTensor> tensors;
  for (const std::string& name : tensors_of(rows))
    tensors.push_back({name, std::move(by_tensor.at(name))});
  return tensors;
}

std::vector<std::int64_t> layers_of(const ModelInfo& info,
                                    const std::vector<ChangedTensor>& tensors) {
  std::set<std::int64_t> layers;
  const auto placed = parts_by_tensor(info);
  for (const ChangedTensor& tensor : tensors)
    if (const auto layer = placed.at(tensor.name).front().layer) layers.insert(*layer);
  return {layers.begin(), layers.end()};
}

std::vector<std::string> tensors_of(const std::vector<PartRows>& rows) {
  std::vector<std::string> names;
  std::unordered_set<std::string> known;
  for (const PartRows& part : rows)
    if (known.insert(part.rows.tensor).second) names.push_back(part.rows.tensor);
  return names;
}

}  // namespace niah::models
