#include <algorithm>
#include <stdexcept>

#include "models/shapes/torch/nn/module.h"

namespace at {

void no_numbers() { throw std::logic_error("a model without numbers was to compute"); }

}  // namespace at

namespace torch::nn {

void NamedTensors::add(std::string key, at::Tensor value) {
  items_.emplace_back(std::move(key), std::move(value));
}

bool NamedTensors::contains(const std::string& key) const {
  return std::ranges::any_of(items_, [&](const Item& item) { return item.key() == key; });
}

std::vector<std::string> NamedTensors::keys() const {
  std::vector<std::string> keys;
  for (const Item& item : items_) keys.push_back(item.key());
  return keys;
}

NamedTensors Module::named_parameters() const {
  NamedTensors all;
  collect("", all);
  return all;
}

std::vector<at::Tensor> Module::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& item : named_parameters()) all.push_back(item.value());
  return all;
}

void Module::collect(const std::string& prefix, NamedTensors& into) const {
  for (const auto& item : own_) into.add(prefix + item.key(), item.value());
  for (const auto& [name, child] : children_) child->collect(prefix + name + ".", into);
}

}  // namespace torch::nn
