#include "models/mixer_info.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "models/causal_lm.h"

namespace niah::models {

std::vector<PartRows> MixerInfo::of(Part part) const {
  std::vector<PartRows> found;
  std::copy_if(parts.begin(), parts.end(), std::back_inserter(found),
               [&](const PartRows& rows) { return rows.part == part; });
  std::stable_partition(found.begin(), found.end(),
                        [](const PartRows& rows) { return !rows.is_bias; });
  return found;
}

std::map<std::string, std::vector<PlacedPart>> parts_by_tensor(const ModelInfo& info) {
  std::map<std::string, std::vector<PlacedPart>> placed;
  for (std::size_t layer = 0; layer < info.mixers.size(); ++layer)
    for (const PartRows& rows : info.mixers[layer].parts)
      placed[rows.rows.tensor].push_back(
          {static_cast<std::int64_t>(layer), /*in_mixer=*/true, rows});
  for (const OtherPart& other : info.others)
    placed[other.rows.rows.tensor].push_back({other.layer, /*in_mixer=*/false, other.rows});
  return placed;
}

namespace {

/// Layer (-1: before or after all layers), whether in its mixer, part, whether a bias.
using Place = std::tuple<std::int64_t, bool, Part, bool>;

std::map<Place, std::vector<TensorRows>> rows_by_place(const ModelInfo& info) {
  std::map<Place, std::vector<TensorRows>> places;
  for (std::size_t layer = 0; layer < info.mixers.size(); ++layer)
    for (const PartRows& part : info.mixers[layer].parts)
      places[{static_cast<std::int64_t>(layer), true, part.part, part.is_bias}].push_back(
          part.rows);
  for (const OtherPart& other : info.others)
    places[{other.layer.value_or(-1), false, other.rows.part, other.rows.is_bias}].push_back(
        other.rows.rows);
  return places;
}

bool are_laid_out_alike(const TensorRows& a, const TensorRows& b) {
  return a.first == b.first && a.rows == b.rows && a.stride == b.stride &&
         a.repetitions == b.repetitions;
}

}  // namespace

std::map<std::string, std::string> counterparts(const ModelInfo& model, const ModelInfo& other) {
  std::map<std::string, std::string> names;
  const auto there = rows_by_place(other);
  for (const auto& [place, rows] : rows_by_place(model)) {
    const auto found = there.find(place);
    if (found == there.end() || found->second.size() != rows.size()) continue;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (are_laid_out_alike(rows[i], found->second[i]))
        names[rows[i].tensor] = found->second[i].tensor;
  }
  return names;
}

std::string layer_pattern(const ModelInfo& info) {
  std::string pattern;
  for (const MixerInfo& mixer : info.mixers) pattern += mixer.letter;
  return pattern;
}

std::string pattern_legend(const ModelInfo& info) {
  std::string legend, known;
  for (const MixerInfo& mixer : info.mixers) {
    if (known.find(mixer.letter) != std::string::npos) continue;
    known += mixer.letter;
    if (!legend.empty()) legend += ", ";
    legend.append(1, mixer.letter).append(" ").append(mixer.name);
  }
  return legend;
}

}  // namespace niah::models
