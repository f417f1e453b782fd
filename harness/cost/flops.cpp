#include "harness/cost/flops.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "models/decode/prefix_reader.h"

namespace niah {
namespace {

/// Whether a last layer of this kind needs only the keys and values of positions without logits.
bool only_attends(const models::MixerInfo& mixer) { return mixer.attends && !mixer.is_recurrent(); }

/// Keys that the token at `position` sees in a softmax layer.
double seen(const models::MixerCost& mixer, double position) {
  return mixer.window > 0 ? std::min(position, static_cast<double>(mixer.window)) : position;
}

/// FLOPs of one layer's mixer, not counting its matrices, for positions [begin, end).
double mixer_flops(const models::MixerCost& mixer, std::int64_t begin, std::int64_t end) {
  const auto tokens = static_cast<double>(end - begin);
  const double middle = static_cast<double>(begin + end) / 2;
  return tokens *
         (mixer.token_flops + 4 * static_cast<double>(mixer.query_values) * seen(mixer, middle));
}

}  // namespace

GroupShape group_shape(const models::CausalLM& model, std::string name, std::int64_t variants,
                       std::int64_t shared, at::ScalarType dtype) {
  GroupShape shape;
  shape.name = std::move(name);
  shape.info = model.info();
  shape.variants = variants;
  shape.shared_layers = shared;
  shape.element = static_cast<std::int64_t>(c10::elementSize(dtype));
  shape.layer_parameters.assign(shape.info.mixers.size(), 0);
  double last_mixer = 0;
  shape.head_parameters =
      static_cast<double>(shape.info.vocab_size) * static_cast<double>(shape.info.hidden_size);
  const auto parts = models::parts_by_tensor(shape.info);
  for (const auto& item : model.named_parameters()) {
    const auto part = parts.find(item.key());
    if (part == parts.end() || !part->second.front().layer) continue;
    const bool is_expert = part->second.front().rows.part == models::Part::kExpert;
    // A layer's experts may be one tensor of three dimensions; others with three are not matrices.
    if (item.value().dim() != 2 && !(is_expert && item.value().dim() == 3)) continue;
    const std::int64_t layer = *part->second.front().layer;
    const double used = is_expert ? shape.info.expert_share : 1;
    const double count = used * static_cast<double>(item.value().numel());
    shape.layer_parameters[static_cast<std::size_t>(layer)] += count;
    shape.widest = std::max(shape.widest, item.value().size(item.value().dim() - 2));
    if (layer + 1 == model.num_layers() && part->second.front().in_mixer) last_mixer += count;
  }
  const models::MixerInfo& last = shape.info.mixers.back();
  shape.last_intake = only_attends(last) ? static_cast<double>(last.cost.kv_values) *
                                               static_cast<double>(shape.info.hidden_size)
                                         : last_mixer;
  return shape;
}

GroupShape group_shape(const VariantGroup& group, at::ScalarType dtype) {
  const models::PrefixReader reader(models_of(group), 0);
  return group_shape(*group.front().model,
                     fmt::format("{}: {}", group.front().info.model, names_of(group)),
                     static_cast<std::int64_t>(group.size()), reader.shared_layers(), dtype);
}

double read_flops(const GroupShape& group, std::int64_t begin, std::int64_t end) {
  const auto tokens = static_cast<double>(end - begin);
  const auto layers = static_cast<std::int64_t>(group.layer_parameters.size());
  double total = 0;
  for (std::int64_t i = 0; i < layers; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const auto copies = static_cast<double>(i < group.shared_layers ? 1 : group.variants);
    const bool last = i + 1 == layers;
    double flops = 2 * tokens * (last ? group.last_intake : group.layer_parameters[index]);
    if (!last || !only_attends(group.info.mixers[index]))
      flops += mixer_flops(group.info.mixers[index].cost, begin, end);
    total += copies * flops;
  }
  return total;
}

double ask_flops(const GroupShape& group, std::int64_t begin, std::int64_t end, std::int64_t rows) {
  GroupShape one = group;
  one.variants = 1;
  const double last =
      2 * group.layer_parameters.back() + mixer_flops(group.info.mixers.back().cost, end - 1, end);
  return read_flops(one, begin, end) +
         static_cast<double>(rows) * (last + 2 * group.head_parameters);
}

GroupCost group_cost(const GroupShape& group) {
  const auto shape = std::make_shared<const GroupShape>(group);
  return {.read = [shape](std::int64_t begin,
                          std::int64_t end) { return read_flops(*shape, begin, end); },
          .ask = [shape](std::int64_t begin, std::int64_t end,
                         std::int64_t rows) { return ask_flops(*shape, begin, end, rows); },
          .variants = group.variants};
}

}  // namespace niah
