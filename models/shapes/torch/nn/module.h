// See shapes/tensor.h.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/shapes/tensor.h"

namespace torch::nn {

/// Parameters by their names, in the order in which they were registered.
class NamedTensors {
 public:
  class Item {
   public:
    Item(std::string key, at::Tensor value) : key_(std::move(key)), value_(std::move(value)) {}
    const std::string& key() const { return key_; }
    const at::Tensor& value() const { return value_; }

   private:
    std::string key_;
    at::Tensor value_;
  };

  void add(std::string key, at::Tensor value);
  bool contains(const std::string& key) const;
  std::vector<std::string> keys() const;
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<Item> items_;
};

/// A tree of named parameters.
class Module {
 public:
  Module() = default;
  explicit Module(const std::string&) {}
  virtual ~Module() = default;

  /// The module's own parameters, then those of its children, with names such as "mlp.up.weight".
  NamedTensors named_parameters() const;
  std::vector<at::Tensor> parameters() const;
  void eval() {}

  template <typename T>
  std::shared_ptr<T> register_module(const std::string& name, std::shared_ptr<T> child) {
    children_.emplace_back(name, child);
    return child;
  }
  at::Tensor register_parameter(const std::string& name, at::Tensor parameter) {
    own_.add(name, parameter);
    return parameter;
  }

 private:
  void collect(const std::string& prefix, NamedTensors& into) const;

  NamedTensors own_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
};

}  // namespace torch::nn
