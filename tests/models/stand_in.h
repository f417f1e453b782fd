// A wrapper around a model, for tests that override one of its functions.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <utility>
#include <vector>

#include "models/causal_lm.h"

namespace niah::models {

/// Forwards everything to `inner`.
class StandIn : public CausalLM {
 public:
  explicit StandIn(std::shared_ptr<CausalLM> inner)
      : inner_(register_module("inner", std::move(inner))) {
    info_ = inner_->info();
  }
  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    return inner_->begin(positions, tokens);
  }
  at::Tensor embed(const at::Tensor& ids) const override { return inner_->embed(ids); }
  at::Tensor layer(std::int64_t index, const at::Tensor& hidden, const LayerStates& states,
                   const Pass& pass, std::int64_t rows) const override {
    return inner_->layer(index, hidden, states, pass, rows);
  }
  at::Tensor head(const at::Tensor& hidden) const override { return inner_->head(hidden); }

 private:
  std::shared_ptr<CausalLM> inner_;
};

}  // namespace niah::models
