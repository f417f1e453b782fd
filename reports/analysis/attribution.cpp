#include "reports/analysis/attribution.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "harness/base/listed.h"
#include "harness/base/text.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/loss_words.h"
#include "reports/analysis/part_path.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// A part that brings back kNearlyAll alone carries the loss, if everything else brings back no
/// more than this.
constexpr double kNothing = 0.2;
/// No part is named as the loss's place that brings back less.
constexpr double kMost = 0.5;
constexpr std::size_t kNamed = 3;

constexpr std::string_view kPartsAlone = "parts ", kAllBut = "all but ", kLayers = " layers ";

/// The part that a method puts back alone; nullopt for methods that do something else. Half of the
/// way back (alpha) says nothing about what a part carries.
std::optional<std::string> part_alone(const std::string& method) {
  if (method.find(" alpha ") != method.npos) return std::nullopt;
  if (method.starts_with(kPartsAlone)) return method.substr(kPartsAlone.size());
  const std::string name = method.substr(0, method.find(kLayers));
  if (name == "qk") return "q, k" + method.substr(name.size());
  if (name == "q" || name == "k" || name == "v") return method;
  return std::nullopt;
}

std::optional<std::string> part_left_out(const std::string& method) {
  if (!method.starts_with(kAllBut) || method.find(" alpha ") != method.npos) return std::nullopt;
  return method.substr(kAllBut.size());
}

std::string_view one_part_in_words(std::string_view part) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kWords = {{
      {"q", "W_Q"},
      {"k", "W_K"},
      {"v", "W_V"},
      {"o", "W_O"},
      {"gate", "the output gates"},
      {"norms", "the norms"},
      {"linear", "the linear layers"},
      {"conv", "the convolutions"},
      {"mlp", "the MLPs"},
      {"experts", "the experts"},
      {"embedding", "the embedding"},
      {"head", "the output head"},
  }};
  for (const auto& [name, words] : kWords)
    if (name == part) return words;
  return part;
}

using Effects = std::vector<const PartEffect*>;

/// "W_Q and W_K 97 % (...); W_K 80 % (...); none of the 6 other parts more than 12 %." of what is
/// sorted, the most first.
std::string ranking(const Effects& effects, const char* others) {
  std::vector<std::string> named;
  const std::size_t count = effects.size() <= kNamed + 1 ? effects.size() : kNamed;
  for (std::size_t i = 0; i < count; ++i)
    named.push_back(fmt::format("{} {} ({})", part_in_words(effects[i]->part),
                                percent_words(effects[i]->recovered.fraction),
                                interval_words(effects[i]->recovered)));
  if (count < effects.size())
    named.push_back(fmt::format("none of the {} other {} more than {}", effects.size() - count,
                                others, percent_words(effects[count]->recovered.fraction)));
  return fmt::format("{}.", fmt::join(named, "; "));
}

/// The part whose layers an effect is of; "" where it is of all layers.
std::string whole_part(const PartEffect& effect) {
  const std::size_t layers = effect.part.find(kLayers);
  return layers == effect.part.npos ? "" : effect.part.substr(0, layers);
}

/// The layers of each part that was put back layer by layer, the most first.
using LayerEffects = std::map<std::string, Effects>;

LayerEffects by_layers(const Attribution& attribution) {
  LayerEffects layers;
  for (const PartEffect& effect : attribution.alone)
    if (const std::string part = whole_part(effect); !part.empty()) layers[part].push_back(&effect);
  std::erase_if(layers, [](const auto& one) { return one.second.size() < 2; });
  return layers;
}

/// Without the layers of parts that have a sentence of their own.
Effects without_layers(const Attribution& attribution, const LayerEffects& layers) {
  Effects effects;
  for (const PartEffect& effect : attribution.alone)
    if (!layers.contains(whole_part(effect))) effects.push_back(&effect);
  return effects;
}

/// Whether the interval lies above nothing at all.
bool is_certain(const Recovered& recovered) { return recovered.low && *recovered.low > 0; }

/// Whether the whole interval is where the figure is: above a half of the loss, or below.
bool is_clear(const Recovered& recovered) {
  if (!recovered.low || !recovered.high) return false;
  return recovered.fraction >= kMost ? *recovered.low >= kMost : *recovered.high <= kMost;
}

/// " (95 % interval 20 to 70 %: n is too small to be sure)" where it is not clear.
std::string doubt(const Recovered& recovered) {
  if (is_clear(recovered)) return "";
  return fmt::format(" ({}: n is too small to be sure)", interval_words(recovered));
}

/// The layers of `whole` that were put back one by one, the most first.
Effects single_layers_of(const Attribution& attribution, const PartEffect& whole) {
  Effects layers;
  for (const PartEffect& effect : attribution.alone)
    if (effect.part.starts_with(whole.part + std::string(kLayers))) layers.push_back(&effect);
  return layers;
}

/// What brings back the most, or one layer of it that does nearly as well alone.
const PartEffect& narrowest(const Attribution& attribution) {
  const PartEffect& best = attribution.alone.front();
  const auto layers = single_layers_of(attribution, best);
  const bool is_in_one = !layers.empty() && is_certain(layers.front()->recovered) &&
                         layers.front()->recovered.fraction >= kNearlyAll;
  return is_in_one ? *layers.front() : best;
}

/// "; none of the other layers brings back more than 2 %".
std::string other_layers_in_words(const Attribution& attribution, const PartEffect& place) {
  const auto layers = single_layers_of(attribution, attribution.alone.front());
  if (layers.size() < 2 || layers.front() != &place) return "";
  return fmt::format("; none of the other layers brings back more than {}",
                     percent_words(layers[1]->recovered.fraction));
}

std::string place_in_words(const Attribution& attribution) {
  const PartEffect& best = narrowest(attribution);
  const std::string part = part_in_words(best.part);
  if (!is_certain(best.recovered))
    return "n is too small to say which part the loss lies in: no interval excludes that a part "
           "brings back nothing.";
  if (best.recovered.fraction < kMost)
    return fmt::format(
        "The loss is spread over the weights: no part alone brings back half of it, and the most, "
        "{}, is by {}{}.",
        percent_words(best.recovered.fraction), part, doubt(best.recovered));
  if (best.recovered.fraction < kNearlyAll)
    return fmt::format(
        "With {} alone put back most of the loss comes back, but not nearly all of it{}.", part,
        doubt(best.recovered));
  const PartEffect* rest = attribution.without(best.part);
  if (rest == nullptr)
    return fmt::format("With {} alone put back nearly all of the loss comes back{}{}.", part,
                       doubt(best.recovered), other_layers_in_words(attribution, best));
  const std::string without = fmt::format("{} ({})", percent_words(rest->recovered.fraction),
                                          interval_words(rest->recovered));
  if (rest->recovered.fraction > kNothing)
    return fmt::format(
        "With {} alone put back nearly all of the loss comes back{}, but it is not there alone: "
        "everything else put back brings back {}.",
        part, doubt(best.recovered), without);
  if (is_clear(best.recovered) && is_clear(rest->recovered))
    return fmt::format("The loss lies in {}: everything else put back brings back {}.", part,
                       without);
  return fmt::format(
      "The loss seems to lie in {}: everything else put back brings back {}; n is too small to be "
      "sure.",
      part, without);
}

/// "; of word-problems it solves 95 % (n = 100), the fine-tune 96 %".
std::string reasoning_kept(const Results& results, const PartEffect& effect) {
  const VariantInfo* restored = find_variant(results.run, effect.variant);
  const VariantInfo* tuned = find_variant(results.run, restored->model, restored->fine_tune);
  std::string text;
  for (const std::string& task : results.reasoning_tasks()) {
    const Cell* own = results.reasoning_cell(effect.variant, task);
    const Cell* before =
        tuned == nullptr ? nullptr : results.reasoning_cell(tuned->fingerprint, task);
    if (own == nullptr || before == nullptr || own->n == 0 || before->n == 0) continue;
    text += fmt::format("; of {} it solves {} (n = {}), {} {}", task, percent_words(own->recall()),
                        own->n, label_of(results.run, *tuned), percent_words(before->recall()));
  }
  return text;
}

/// Whether a restoration measurably solves less of a reasoning set than the fine-tune: their 95 %
/// intervals are apart.
bool undoes_reasoning(const Results& results, const PartEffect& effect) {
  const VariantInfo* restored = find_variant(results.run, effect.variant);
  const VariantInfo* tuned = find_variant(results.run, restored->model, restored->fine_tune);
  if (tuned == nullptr) return false;
  return std::ranges::any_of(results.reasoning_tasks(), [&](const std::string& task) {
    const Cell* own = results.reasoning_cell(effect.variant, task);
    const Cell* before = results.reasoning_cell(tuned->fingerprint, task);
    return own != nullptr && before != nullptr && own->n > 0 && before->n > 0 &&
           own->interval().high < before->interval().low;
  });
}

/// What to take where the part that brings back the most undoes what the fine-tune taught.
std::string gentler_advice(const Results& results, const Attribution& attribution,
                           const PartEffect& best) {
  std::string advice = fmt::format(
      "Not to be taken: {}, which brings back the most but undoes what the fine-tune "
      "taught{}.",
      label_of(results.run, best.variant), reasoning_kept(results, best));
  const auto gentler = std::ranges::find_if(attribution.alone, [&](const PartEffect& effect) {
    return is_certain(effect.recovered) && effect.recovered.fraction >= kMost &&
           !undoes_reasoning(results, effect);
  });
  if (gentler == attribution.alone.end())
    return advice + " No other part brings back half of the loss and keeps that.";
  return advice + fmt::format(" To take: {}, which brings back the most of those that keep it{}.",
                              label_of(results.run, gentler->variant),
                              reasoning_kept(results, *gentler));
}

std::string advice_in_words(const Results& results, const Attribution& attribution) {
  const PathStep* last = last_sure_step(attribution.path);
  if (last != nullptr && last->effect.recovered.fraction >= kMost) {
    if (undoes_reasoning(results, last->effect))
      return gentler_advice(results, attribution, last->effect);
    return fmt::format("To take: {}, of which each part adds to what comes back{}.",
                       label_of(results.run, last->effect.variant),
                       reasoning_kept(results, last->effect));
  }
  const PartEffect& best = narrowest(attribution);
  if (!is_certain(best.recovered) || best.recovered.fraction < kMost) return "";
  if (undoes_reasoning(results, best)) return gentler_advice(results, attribution, best);
  const char* why = &best == &attribution.alone.front() ? "which brings back the most"
                                                        : "which changes the least";
  return fmt::format("To take: {}, {}{}.", label_of(results.run, best.variant), why,
                     reasoning_kept(results, best));
}

Attribution attribution_of(const Results& results, const Analysis& analysis,
                           const std::string& model) {
  Attribution found{model, {}, {}, {}};
  for (const VariantInfo& variant : results.run.variants) {
    if (variant.model != model || variant.role != Role::kRestored) continue;
    const auto alone = part_alone(variant.method), left_out = part_left_out(variant.method);
    if (!alone && !left_out) continue;
    const auto recovered = brought_back(results, analysis, variant);
    if (!recovered) continue;
    (alone ? found.alone : found.all_but)
        .push_back({variant.fingerprint, alone ? *alone : *left_out, *recovered});
  }
  std::ranges::stable_sort(found.alone, [](const PartEffect& a, const PartEffect& b) {
    return a.recovered.fraction > b.recovered.fraction;
  });
  return found;
}

bool asks_for_parts(const RunInfo& run, const std::string& model) {
  return std::ranges::any_of(run.variants, [&](const VariantInfo& variant) {
    return variant.model == model &&
           (variant.method.starts_with(kPartsAlone) || variant.method.starts_with(kAllBut));
  });
}

}  // namespace

const PartEffect* Attribution::without(const std::string& part) const {
  const auto at = std::ranges::find(all_but, part, &PartEffect::part);
  return at == all_but.end() ? nullptr : &*at;
}

std::vector<Attribution> attributions(const Results& results, const Analysis& analysis) {
  std::vector<Attribution> all;
  for (const std::string& model : models_of(results.run)) {
    if (!asks_for_parts(results.run, model)) continue;
    Attribution found = attribution_of(results, analysis, model);
    if (found.alone.size() < 2) continue;
    found.path = take_path(results, found.alone);
    all.push_back(std::move(found));
  }
  return all;
}

std::string nothing_to_attribute(const Results& results, const Analysis& analysis,
                                 const std::string& model) {
  for (const VariantInfo& restored : results.run.variants) {
    const bool is_part = part_alone(restored.method) || part_left_out(restored.method);
    if (restored.model != model || restored.role != Role::kRestored || !is_part) continue;
    if (!asks_for_parts(results.run, model)) return "";
    const VariantInfo* tuned = find_variant(results.run, model, restored.fine_tune);
    if (tuned == nullptr || has_lost(results, analysis, *tuned)) return "";
    if (!would_show_loss(results, analysis, *tuned))
      return fmt::format(
          "n is too small to tell whether {} lost recall, so nothing can be said of the parts of "
          "its weights.",
          label_of(results.run, *tuned));
    return fmt::format(
        "{} did not measurably lose recall, so there is nothing that a part of its weights could "
        "bring back.",
        label_of(results.run, *tuned));
  }
  return "";
}

std::string part_in_words(const std::string& part) {
  const std::size_t layers = part.find(kLayers);
  const std::string names = part.substr(0, layers);
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(", ", begin), names.size());
    words.emplace_back(one_part_in_words(std::string_view(names).substr(begin, end - begin)));
    begin = end + 2;
  }
  std::string text = listed(words);
  if (layers == part.npos) return text;
  const std::string numbers = part.substr(layers + kLayers.size());
  const bool is_one = numbers.find(',') == numbers.npos;
  return fmt::format("{} of {} {}", text, is_one ? "layer" : "layers",
                     replace_all(numbers, ",", ", "));
}

std::vector<std::string> attribution_in_words(const Results& results,
                                              const Attribution& attribution) {
  const LayerEffects layers = by_layers(attribution);
  const Effects parts = without_layers(attribution, layers);
  std::vector<std::string> sentences;
  if (!parts.empty())
    sentences.push_back("Brought back over all cells, each part alone: " + ranking(parts, "parts"));
  for (const auto& [part, effects] : layers)
    sentences.push_back(fmt::format("Of {}, one layer put back at a time: {}", part_in_words(part),
                                    ranking(effects, "layers")));
  sentences.push_back(place_in_words(attribution));
  if (std::string path = path_in_words(attribution.path); !path.empty())
    sentences.push_back(std::move(path));
  if (std::string advice = advice_in_words(results, attribution); !advice.empty())
    sentences.push_back(std::move(advice));
  return sentences;
}

}  // namespace niah::reports
