// Aggregates of a diagnosis: over the tensors of a part, over the heads of a variant.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// The order in which parts are shown.
inline constexpr std::array kParts = {"Q", "K", "V", "O", "gate", "other mixer", "MLP", "norm"};

/// The change of several tensors taken together, relative to their norm. Holds squared sums.
struct Drift {
  double change = 0, norm = 0;
  void add(const TensorChange& tensor) {
    change += tensor.change * tensor.change;
    norm += tensor.norm * tensor.norm;
  }
  std::optional<double> relative() const {
    return norm > 0 ? std::optional(std::sqrt(change / norm)) : std::nullopt;
  }
};

/// The relative change of the tensors that `chosen` accepts; nullopt if their norm is 0.
template <typename Chosen>
std::optional<double> drift_of(const Diagnosis& diagnosis, const Chosen& chosen) {
  Drift drift;
  for (const TensorChange& tensor : diagnosis.tensors)
    if (chosen(tensor)) drift.add(tensor);
  return drift.relative();
}

/// The relative change of one part of one layer; nullopt if its norm is 0.
std::optional<double> drift_at(const Diagnosis& diagnosis, std::int64_t layer, const char* part);

/// The layers in order, each with its mixer's name.
std::map<std::int64_t, std::string> layers_of(const Diagnosis& diagnosis);

/// The heads of one variant, in layer and head order.
std::vector<const HeadLook*> heads_of(const Diagnosis& diagnosis, const std::string& variant);

/// Indices into heads_of() of the reference's retrieval heads.
std::vector<std::size_t> retrieval_heads(const Diagnosis& diagnosis);

/// Mean attention on the needle over the heads at `places`, which must not be empty.
double mean_mass(const std::vector<const HeadLook*>& heads, const std::vector<std::size_t>& places);
/// Mean attention distance over all `heads`, in tokens. `heads` must not be empty.
double mean_distance(const std::vector<const HeadLook*>& heads);

}  // namespace niah::reports
