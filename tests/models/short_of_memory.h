// A model for which memory sometimes does not suffice.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Computes as `inner` does, but throws std::bad_alloc where `is_short` says so of a pass of so
/// many sequences: it is asked halfway up the layers, and again at the head.
class ShortOfMemory : public CausalLM {
 public:
  ShortOfMemory(std::shared_ptr<CausalLM> inner, std::function<bool(std::int64_t)> is_short)
      : inner_(register_module("inner", std::move(inner))), is_short_(std::move(is_short)) {
    info_ = inner_->info();
  }
  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    return inner_->begin(positions, tokens);
  }
  at::Tensor embed(const at::Tensor& ids) const override { return inner_->embed(ids); }
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override {
    if (index == num_layers() / 2 && is_short_(hidden.size(0))) throw std::bad_alloc();
    return inner_->layer(index, hidden, states, pass, rows);
  }
  at::Tensor head(const at::Tensor& hidden) const override {
    if (is_short_(hidden.size(0))) throw std::bad_alloc();
    return inner_->head(hidden);
  }
  std::vector<SoftmaxLayer> softmax_layers() const override { return inner_->softmax_layers(); }

 private:
  std::shared_ptr<CausalLM> inner_;
  std::function<bool(std::int64_t)> is_short_;
};

}  // namespace niah::models
