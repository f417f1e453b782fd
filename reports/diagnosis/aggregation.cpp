#include "reports/diagnosis/aggregation.h"

namespace niah::reports {

std::optional<double> drift_at(const Diagnosis& diagnosis, std::int64_t layer, const char* part) {
  return drift_of(diagnosis, [&](const TensorChange& tensor) {
    return tensor.layer == layer && tensor.part == part;
  });
}

std::map<std::int64_t, std::string> layers_of(const Diagnosis& diagnosis) {
  std::map<std::int64_t, std::string> layers;
  for (const TensorChange& tensor : diagnosis.tensors)
    if (tensor.layer) layers[*tensor.layer] = tensor.mixer;
  return layers;
}

std::vector<const HeadLook*> heads_of(const Diagnosis& diagnosis, const std::string& variant) {
  std::vector<const HeadLook*> heads;
  for (const HeadLook& head : diagnosis.heads)
    if (head.variant == variant) heads.push_back(&head);
  return heads;
}

std::vector<std::size_t> retrieval_heads(const Diagnosis& diagnosis) {
  std::vector<std::size_t> places;
  if (diagnosis.variants.empty()) return places;
  const auto heads = heads_of(diagnosis, diagnosis.variants.front());
  for (std::size_t i = 0; i < heads.size(); ++i)
    if (heads[i]->needle_mass >= kRetrievalMass) places.push_back(i);
  return places;
}

double mean_mass(const std::vector<const HeadLook*>& heads,
                 const std::vector<std::size_t>& places) {
  double sum = 0;
  for (const std::size_t place : places) sum += heads.at(place)->needle_mass;
  return sum / static_cast<double>(places.size());
}

double mean_distance(const std::vector<const HeadLook*>& heads) {
  double sum = 0;
  for (const HeadLook* head : heads) sum += head->distance;
  return sum / static_cast<double>(heads.size());
}

}  // namespace niah::reports
