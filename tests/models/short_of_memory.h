// A model that runs out of memory on demand.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <utility>

#include "tests/models/stand_in.h"

namespace niah::models {

/// Throws std::bad_alloc if `is_short` returns true for the number of sequences in the pass. It is
/// called at the middle layer and again at the head.
class ShortOfMemory : public StandIn {
 public:
  ShortOfMemory(std::shared_ptr<CausalLM> inner, std::function<bool(std::int64_t)> is_short)
      : StandIn(std::move(inner)), is_short_(std::move(is_short)) {}
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override {
    if (index == num_layers() / 2 && is_short_(hidden.size(0))) throw std::bad_alloc();
    return StandIn::layer(index, hidden, states, pass, rows);
  }
  at::Tensor head(const at::Tensor& hidden) const override {
    if (is_short_(hidden.size(0))) throw std::bad_alloc();
    return StandIn::head(hidden);
  }

 private:
  std::function<bool(std::int64_t)> is_short_;
};

}  // namespace niah::models
