#include "models/causal_lm.h"

#include <torch/torch.h>

#include "harness/base/numbers.h"

namespace niah::models {

const char* layer_kind_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::kSoftmax:
      return "softmax";
    case LayerKind::kSlidingWindow:
      return "sliding-window";
    case LayerKind::kLightning:
      return "lightning";
    case LayerKind::kJet:
      return "JetBlock";
  }
  return "unknown";
}

std::string layer_pattern(const ModelInfo& info) {
  std::string pattern;
  for (const LayerKind kind : info.layers)
    pattern += kind == LayerKind::kSoftmax         ? 'A'
               : kind == LayerKind::kSlidingWindow ? 'W'
               : kind == LayerKind::kLightning     ? 'L'
                                                   : 'J';
  return pattern;
}

std::optional<std::int64_t> layer_of(std::string_view tensor) {
  constexpr std::string_view kPrefix = "model.layers.";
  if (!tensor.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = tensor.substr(kPrefix.size());
  return parse_integer(rest.substr(0, rest.find('.')), kNotNegative);
}

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
  const at::NoGradGuard no_grad;
  const std::int64_t tokens = ids.size(1), last = num_layers() - 1;
  std::vector<std::int64_t> positions;
  for (const State* state : states) positions.push_back(state->position());
  const Pass pass = begin(positions, tokens);
  at::Tensor hidden = embed(ids);
  for (std::int64_t i = 0; i <= last; ++i) {
    std::vector<LayerState*> memories;
    for (State* state : states) memories.push_back(&state->layer(i));
    // Only the wanted positions are needed above the last layer's memory.
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
