#include "models/mixer_info.h"

#include <algorithm>
#include <iterator>

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
