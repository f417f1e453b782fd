#include "reports/diagnosis/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/base/text.h"
#include "reports/analysis/statistics.h"
#include "reports/diagnosis/aggregation.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

std::string weights_in_words(const Diagnosis& diagnosis) {
  const auto part = [&](const char* name, bool softmax) {
    return drift_of(diagnosis, [&](const TensorChange& tensor) {
      const bool in_softmax = tensor.mixer == "softmax" || tensor.mixer == "sliding-window";
      return tensor.layer && tensor.part == name && in_softmax == softmax;
    });
  };
  std::vector<std::string> softmax;
  for (const char* name : {"Q", "K", "V", "O"})
    if (const auto drift = part(name, true))
      softmax.push_back(fmt::format("{} by {} %", name, percent(*drift, 2)));
  std::string text;
  if (!softmax.empty())
    text = fmt::format("The fine-tune moved the softmax layers' {}", fmt::join(softmax, ", "));
  const auto linear = drift_of(diagnosis, [](const TensorChange& tensor) {
    return tensor.layer && tensor.part != "MLP" && tensor.part != "norm" &&
           tensor.mixer != "softmax" && tensor.mixer != "sliding-window";
  });
  if (linear) text += fmt::format("; the linear layers' mixers by {} %", percent(*linear, 2));
  const auto mlp = drift_of(diagnosis, [](const TensorChange& t) { return t.part == "MLP"; });
  if (mlp) text += fmt::format("; the MLPs by {} %", percent(*mlp, 2));
  const auto embedding =
      drift_of(diagnosis, [](const TensorChange& t) { return t.part == "embedding"; });
  if (embedding) text += fmt::format("; the embedding by {} %", percent(*embedding, 2));
  return text.empty() ? "" : text + " of their norm.";
}

std::string routing_in_words(const Diagnosis& diagnosis) {
  if (diagnosis.routing.empty()) return "";
  std::vector<double> changes, angles;
  for (const RoutingChange& head : diagnosis.routing) {
    changes.push_back(head.relative_change);
    angles.push_back(std::max(head.query_angle, head.key_angle));
  }
  const auto most = std::max_element(diagnosis.routing.begin(), diagnosis.routing.end(),
                                     [](const RoutingChange& a, const RoutingChange& b) {
                                       return a.relative_change < b.relative_change;
                                     });
  return fmt::format(
      "What decides where softmax attention looks, W_Q^T W_K, changed by {} % of its norm in the "
      "median head (most in layer {}, head {}: {} %), and its leading directions turned by {:.1f} "
      "degrees.",
      percent(median(changes)), most->layer, most->head, percent(most->relative_change),
      median(angles));
}

std::string retrieval_in_words(const Diagnosis& diagnosis) {
  const std::vector<std::size_t> places = retrieval_heads(diagnosis);
  const std::string& reference = diagnosis.variants.front();
  const std::size_t all = heads_of(diagnosis, reference).size();
  if (places.empty())
    return fmt::format(
        "No head of {} puts {} % of its final attention on the needle: there are no retrieval "
        "heads "
        "to lose on these prompts.",
        reference, percent(kRetrievalMass, 0));
  std::string text = fmt::format(
      "{} of the {} softmax heads of {} {}: the final position puts at least {} % of its attention "
      "on the needle (by chance: {} %). There the needle gets",
      places.size(), all, reference,
      places.size() == 1 ? "is a retrieval head" : "are retrieval heads",
      percent(kRetrievalMass, 0), percent(diagnosis.chance, 2));
  std::string list;
  for (const std::string& variant : diagnosis.variants)
    list += fmt::format("{} {} % in {}", list.empty() ? "" : ",",
                        percent(mean_mass(heads_of(diagnosis, variant), places)), variant);
  return text + list + ".";
}

std::string distance_in_words(const Diagnosis& diagnosis) {
  std::string list;
  for (const std::string& variant : diagnosis.variants)
    list += fmt::format("{} {:.0f}{} in {}", list.empty() ? "" : ",",
                        mean_distance(heads_of(diagnosis, variant)), list.empty() ? " tokens" : "",
                        variant);
  return fmt::format(
      "Mean attention distance over all softmax heads, in prompts of {:.0f} tokens:{}.",
      diagnosis.length, list);
}

}  // namespace

std::vector<std::string> diagnosis_in_words(const Diagnosis& diagnosis) {
  std::vector<std::string> words = {weights_in_words(diagnosis), routing_in_words(diagnosis)};
  if (!diagnosis.heads.empty()) {
    words.push_back(retrieval_in_words(diagnosis));
    words.push_back(distance_in_words(diagnosis));
  }
  std::erase(words, "");
  return words;
}

}  // namespace niah::reports
