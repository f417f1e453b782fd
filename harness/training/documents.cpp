#include "harness/training/documents.h"

#include "harness/base/error.h"

namespace niah::zoo {

std::vector<std::string> training_sentences(const DataSpec& data) {
  const auto text = tasks::open_haystack(data.text);
  if (text->size() < 0)
    throw UsageError(
        "training needs a text that ends, so that a part can be held out; prose and "
        "repeated texts do not");
  const auto first = static_cast<std::int64_t>(static_cast<double>(text->size()) * data.held_out);
  std::vector<std::string> out;
  for (std::int64_t i = first; i < text->size(); ++i) {
    std::string_view rest = text->sentence(i);
    for (std::size_t cut = rest.find("; "); cut != std::string_view::npos; cut = rest.find("; ")) {
      out.emplace_back(rest.substr(0, cut + 1));
      rest.remove_prefix(cut + 2);
    }
    if (!rest.empty()) out.emplace_back(rest);
  }
  return out;
}

tasks::DocumentKind choose_document(const DataSpec& data, tasks::CounterRng& rng) {
  double total = 0;
  for (const auto& [kind, weight] : data.mix) total += weight;
  double at = static_cast<double>(rng.below(1'000'000)) / 1e6 * total;
  for (const auto& [kind, weight] : data.mix) {
    if (at < weight) return kind;
    at -= weight;
  }
  return data.mix.back().first;
}

}  // namespace niah::zoo
