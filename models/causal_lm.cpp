#include "models/causal_lm.h"

#include <ATen/ATen.h>

namespace niah::models {

at::Tensor as_sequence(const std::vector<std::int64_t>& ids) {
  return at::tensor(at::IntArrayRef(ids), at::kLong).unsqueeze(0);
}

at::Tensor CausalLM::forward(const at::Tensor& ids, State& state, Logits logits) {
  const std::int64_t rows = logits == Logits::kAll ? ids.size(1) : logits == Logits::kLast ? 1 : 0;
  return forward_rows(ids, state, rows);
}

at::Tensor CausalLM::forward_rows(const at::Tensor& ids, State& state, std::int64_t rows) {
  return forward_rows(ids, std::vector{&state}, rows);
}

at::Tensor CausalLM::forward_rows(const at::Tensor& ids, const std::vector<State*>& states,
                                  std::int64_t rows) {
  const c10::InferenceMode no_gradients;
  const std::int64_t tokens = ids.size(1), last = num_layers() - 1;
  std::vector<std::int64_t> positions;
  for (const State* state : states) positions.push_back(state->position());
  const Pass pass = begin(positions, tokens);
  at::Tensor hidden = embed(ids);
  for (std::int64_t i = 0; i <= last; ++i) {
    std::vector<LayerState*> memories;
    for (State* state : states) memories.push_back(&state->layer(i));
    // The last layer reads all positions into its state but computes only the wanted outputs.
    hidden = layer(i, hidden, LayerStates(std::move(memories)), pass, i == last ? rows : tokens);
  }
  for (State* state : states) state->advance(tokens);
  return rows == 0 ? at::Tensor() : head(hidden);
}

at::Tensor CausalLM::forward_train(const at::Tensor& ids,
                                   std::function<at::Tensor(const AttentionInputs&)> attend) {
  const std::int64_t tokens = ids.size(1);
  Pass pass = begin({0}, tokens);
  pass.attend = std::move(attend);
  at::Tensor hidden = embed(ids);
  for (std::int64_t i = 0; i < num_layers(); ++i) hidden = layer(i, hidden, nullptr, pass, tokens);
  return head(hidden);
}

}  // namespace niah::models
