#include "models/causal_lm.h"

#include <torch/torch.h>

namespace niah::models {

at::Tensor CausalLM::forward(const at::Tensor& ids, State& state, Logits logits) {
  const std::int64_t rows = logits == Logits::kAll ? ids.size(1) : logits == Logits::kLast ? 1 : 0;
  return forward_rows(ids, state, rows);
}

at::Tensor CausalLM::forward_rows(const at::Tensor& ids, State& state, std::int64_t rows) {
  const at::NoGradGuard no_grad;
  const std::int64_t tokens = ids.size(1);
  const Pass pass = begin(state.position(), tokens);
  at::Tensor hidden = embed(ids);
  const std::int64_t last = num_layers() - 1;
  for (std::int64_t i = 0; i < last; ++i) hidden = layer(i, hidden, &state.layer(i), pass, tokens);
  // Only the wanted positions are needed above the last layer's memory.
  hidden = layer(last, hidden, &state.layer(last), pass, rows);
  state.advance(tokens);
  return rows == 0 ? at::Tensor() : head(hidden);
}

at::Tensor CausalLM::forward_train(const at::Tensor& ids) {
  const std::int64_t tokens = ids.size(1);
  const Pass pass = begin(0, tokens);
  at::Tensor hidden = embed(ids);
  for (std::int64_t i = 0; i < num_layers(); ++i) hidden = layer(i, hidden, nullptr, pass, tokens);
  return head(hidden);
}

}  // namespace niah::models
