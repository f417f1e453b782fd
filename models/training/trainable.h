// What an optimizer moves when a model is trained: its own weights, or tensors that these follow.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace niah::models {

/// Tensors that training moves.
class Trainable {
 public:
  virtual ~Trainable() = default;
  /// The tensors by their names in a training state, always in the same order.
  virtual std::vector<std::pair<std::string, at::Tensor>> tensors() const = 0;
  /// After the model's backward pass: gives each tensor the gradient that it is to move by.
  virtual void take_gradients() = 0;
  /// After the tensors moved: makes the model's weights follow them.
  virtual void update_model() = 0;
};

}  // namespace niah::models
