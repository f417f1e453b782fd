#include "reports/analysis/attribution.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "harness/base/text.h"
#include "reports/analysis/findings.h"
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

/// "Brought back over all cells, each part alone: W_Q and W_K 97 % (...); W_K 80 % (...); none of
/// the 6 other parts more."
std::string effects_in_words(const Attribution& attribution) {
  std::vector<std::string> named;
  const std::size_t count = std::min(kNamed, attribution.alone.size());
  for (std::size_t i = 0; i < count; ++i) {
    const PartEffect& effect = attribution.alone[i];
    named.push_back(fmt::format("{} {} ({})", part_in_words(effect.part),
                                percent_words(effect.recovered.fraction),
                                interval_words(effect.recovered)));
  }
  const std::size_t others = attribution.alone.size() - count;
  std::string text =
      fmt::format("Brought back over all cells, each part alone: {}", fmt::join(named, "; "));
  if (others == 1) text += "; the other part no more";
  if (others > 1) text += fmt::format("; none of the {} other parts more", others);
  return text + ".";
}

/// Whether the interval lies above nothing at all.
bool is_certain(const Recovered& recovered) { return recovered.low && *recovered.low > 0; }

/// The layers of `whole` that were put back one by one, the most first.
std::vector<const PartEffect*> single_layers_of(const Attribution& attribution,
                                                const PartEffect& whole) {
  std::vector<const PartEffect*> layers;
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
        "{}, is by {}.",
        percent_words(best.recovered.fraction), part);
  if (best.recovered.fraction < kNearlyAll)
    return fmt::format(
        "With {} alone put back most of the loss comes back, but not nearly all of it.", part);
  const PartEffect* rest = attribution.without(best.part);
  if (rest == nullptr)
    return fmt::format("With {} alone put back nearly all of the loss comes back{}.", part,
                       other_layers_in_words(attribution, best));
  const std::string without = fmt::format("{} ({})", percent_words(rest->recovered.fraction),
                                          interval_words(rest->recovered));
  if (rest->recovered.fraction <= kNothing)
    return fmt::format("The loss lies in {}: everything else put back brings back {}.", part,
                       without);
  return fmt::format(
      "With {} alone put back nearly all of the loss comes back, but it is not there alone: "
      "everything else put back brings back {}.",
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

std::string advice_in_words(const Results& results, const Attribution& attribution) {
  const PathStep* last = last_sure_step(attribution.path);
  if (last != nullptr && last->effect.recovered.fraction >= kMost)
    return fmt::format("To take: {}, of which each part adds to what comes back{}.",
                       label_of(results.run, last->effect.variant),
                       reasoning_kept(results, last->effect));
  const PartEffect& best = narrowest(attribution);
  if (!is_certain(best.recovered) || best.recovered.fraction < kMost) return "";
  const char* why = &best == &attribution.alone.front() ? "which brings back the most"
                                                        : "which changes the least";
  return fmt::format("To take: {}, {}{}.", label_of(results.run, best.variant), why,
                     reasoning_kept(results, best));
}

Attribution attribution_of(const RunInfo& run, const std::vector<Recovery>& recoveries,
                           const std::string& model) {
  Attribution found{model, {}, {}, {}};
  for (const VariantInfo& variant : run.variants) {
    if (variant.model != model || variant.role != Role::kRestored) continue;
    const auto alone = part_alone(variant.method), left_out = part_left_out(variant.method);
    if (!alone && !left_out) continue;
    const auto recovered = pooled_recovery(recoveries, variant.fingerprint);
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

std::vector<Attribution> attributions(const Results& results,
                                      const std::vector<Recovery>& recoveries) {
  std::vector<Attribution> all;
  for (const std::string& model : models_of(results.run)) {
    if (!asks_for_parts(results.run, model)) continue;
    Attribution found = attribution_of(results.run, recoveries, model);
    if (found.alone.size() < 2) continue;
    found.path = take_path(results, found.alone);
    all.push_back(std::move(found));
  }
  return all;
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
  std::string text = words.back();
  words.pop_back();
  if (!words.empty()) text = fmt::format("{} and {}", fmt::join(words, ", "), text);
  if (layers == part.npos) return text;
  const std::string numbers = part.substr(layers + kLayers.size());
  const bool is_one = numbers.find(',') == numbers.npos;
  return fmt::format("{} of {} {}", text, is_one ? "layer" : "layers",
                     replace_all(numbers, ",", ", "));
}

std::vector<std::string> attribution_in_words(const Results& results,
                                              const Attribution& attribution) {
  std::vector<std::string> sentences = {effects_in_words(attribution), place_in_words(attribution)};
  if (std::string path = path_in_words(attribution.path); !path.empty())
    sentences.push_back(std::move(path));
  if (std::string advice = advice_in_words(results, attribution); !advice.empty())
    sentences.push_back(std::move(advice));
  return sentences;
}

}  // namespace niah::reports
