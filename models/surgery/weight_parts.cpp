#include "models/surgery/weight_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include "harness/base/error.h"

namespace niah::models {
namespace {

/// The parts that hold rows of a mixer. None holds those of sliding-window layers without
/// `windows`.
std::set<WeightPart> parts_in_mixer(const MixerInfo& mixer, Part part, bool windows) {
  std::set<WeightPart> parts;
  if (part == Part::kConvolution) parts.insert(WeightPart::kConvolutions);
  // Beside softmax attention there may be a recurrent mixer, whose weights have no other name.
  const bool is_beside = mixer.attends && mixer.is_recurrent() && part == Part::kOther;
  if (!mixer.attends || is_beside) {
    parts.insert(WeightPart::kLinear);
    return parts;
  }
  if (mixer.cost.window > 0 && !windows) return parts;
  switch (part) {
    case Part::kQuery:
      return {WeightPart::kQuery};
    case Part::kKey:
      return {WeightPart::kKey};
    case Part::kValue:
      return {WeightPart::kValue};
    case Part::kOutput:
      return {WeightPart::kOutput};
    case Part::kGate:
      return {WeightPart::kGate};
    case Part::kQueryNorm:
    case Part::kKeyNorm:
    case Part::kNorm:
      return {WeightPart::kNorms};
    default:
      return parts;
  }
}

std::set<WeightPart> parts_outside_mixers(Part part) {
  switch (part) {
    case Part::kNorm:
      return {WeightPart::kNorms};
    case Part::kMlp:
      return {WeightPart::kMlp};
    case Part::kExpert:
      return {WeightPart::kExperts};
    case Part::kEmbedding:
      return {WeightPart::kEmbedding};
    case Part::kHead:
      return {WeightPart::kHead};
    default:
      return {};
  }
}

/// Rows of the model, and the parts that hold them.
struct HeldRows {
  std::optional<std::int64_t> layer;  ///< nullopt: before or after all layers
  std::set<WeightPart> parts;
  PartRows rows;
};

std::vector<HeldRows> all_rows(const ModelInfo& info, bool windows) {
  std::vector<HeldRows> all;
  for (std::size_t layer = 0; layer < info.mixers.size(); ++layer)
    for (const PartRows& rows : info.mixers[layer].parts)
      all.push_back({static_cast<std::int64_t>(layer),
                     parts_in_mixer(info.mixers[layer], rows.part, windows), rows});
  for (const OtherPart& other : info.others)
    all.push_back({other.layer, parts_outside_mixers(other.rows.part), other.rows});
  return all;
}

bool is_in_layers(const HeldRows& held, const RestoreOptions& options) {
  if (!options.layers) return true;
  if (!held.layer)
    return held.parts.contains(WeightPart::kEmbedding) || held.parts.contains(WeightPart::kHead);
  return std::ranges::find(*options.layers, *held.layer) != options.layers->end();
}

bool holds_any(const std::set<WeightPart>& parts, const std::set<WeightPart>& wanted) {
  return std::ranges::any_of(parts, [&](WeightPart part) { return wanted.contains(part); });
}

void require_layers(const ModelInfo& info, const RestoreOptions& options) {
  const auto layers = static_cast<std::int64_t>(info.mixers.size());
  if (!options.layers) return;
  for (const std::int64_t layer : *options.layers)
    if (layer >= layers)
      throw UsageError(
          fmt::format("restoring: layer {} cannot be restored; the model has layers 0 to {}", layer,
                      layers - 1));
}

/// Throws UsageError for a part that is nowhere in these layers of the model.
void require_parts(const std::vector<HeldRows>& all, const RestoreOptions& options) {
  std::set<WeightPart> there;
  for (const HeldRows& held : all)
    if (is_in_layers(held, options)) there.insert(held.parts.begin(), held.parts.end());
  std::vector<std::string> names;
  for (const WeightPart part : there) names.push_back(weight_part_name(part));
  for (const WeightPart part : options.parts)
    if (!there.contains(part))
      throw UsageError(fmt::format("restoring: {} no part '{}'; there are: {}",
                                   options.layers ? "the chosen layers have" : "the model has",
                                   weight_part_name(part), fmt::join(names, ", ")));
}

std::vector<HeldRows> selected(const ModelInfo& info, const RestoreOptions& options) {
  check(options.method == RestoreMethod::kParts, "the method parts");
  if (options.parts.empty())
    throw UsageError("restoring: the method parts needs at least one part; name some");
  require_layers(info, options);
  const std::vector<HeldRows> all = all_rows(info, options.windows);
  require_parts(all, options);
  std::vector<HeldRows> chosen;
  std::ranges::copy_if(all, std::back_inserter(chosen), [&](const HeldRows& held) {
    const bool is_named = holds_any(held.parts, options.parts) && is_in_layers(held, options);
    return is_named != options.complement;
  });
  if (chosen.empty())
    throw UsageError(fmt::format("restoring: {} leaves nothing of this model to restore",
                                 parts_in_words(options)));
  return chosen;
}

}  // namespace

bool has_part(const ModelInfo& info, WeightPart part, std::optional<std::int64_t> layer) {
  return std::ranges::any_of(all_rows(info, /*windows=*/false), [&](const HeldRows& held) {
    return held.parts.contains(part) && (!layer || held.layer == layer);
  });
}

std::vector<PartRows> rows_of_parts(const ModelInfo& info, const RestoreOptions& options) {
  std::vector<PartRows> rows;
  for (HeldRows& held : selected(info, options)) rows.push_back(std::move(held.rows));
  return rows;
}

std::int64_t first_changed_layer(const ModelInfo& info, const RestoreOptions& options) {
  auto first = static_cast<std::int64_t>(info.mixers.size());
  for (const HeldRows& held : selected(info, options)) {
    if (held.layer)
      first = std::min(first, *held.layer);
    else if (held.parts.contains(WeightPart::kEmbedding))
      return 0;
  }
  return first;
}

}  // namespace niah::models
