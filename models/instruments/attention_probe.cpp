#include "models/instruments/attention_probe.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"

namespace niah::models {
namespace {

/// Attention weights [R, n] of one head; the keys end at the last query's position.
at::Tensor attention_weights(const AttentionInputs& inputs, std::int64_t head) {
  const std::int64_t share = inputs.query.size(1) / inputs.key.size(1);
  const at::Tensor query = inputs.query[0][head].to(at::kFloat);      // [R, D]
  const at::Tensor key = inputs.key[0][head / share].to(at::kFloat);  // [n, D]
  const std::int64_t rows = query.size(0), keys = key.size(0);
  const at::Tensor at_key = at::arange(keys, query.options().dtype(at::kLong));
  const at::Tensor own = at::arange(keys - rows, keys, at_key.options()).unsqueeze(1);  // [R, 1]
  at::Tensor hidden = at_key.gt(own);
  if (inputs.window > 0) hidden = hidden.logical_or(at_key.le(own - inputs.window));
  return (at::matmul(query, key.t()) * inputs.scale)
      .masked_fill(hidden, -std::numeric_limits<float>::infinity())
      .softmax(-1);
}

/// What one head attends to. `end` is the length of the prompt; the keys are its last n positions.
HeadAttention look(const AttentionInputs& inputs, std::int64_t head, const WatchOptions& options,
                   std::int64_t end) {
  const at::Tensor weights = attention_weights(inputs, head);
  const std::int64_t rows = weights.size(0), keys = weights.size(1), first = end - keys;
  const at::Tensor at_key = at::arange(keys, weights.options());
  const at::Tensor own = at::arange(keys - rows, keys, weights.options());
  HeadAttention seen;
  seen.head = head;
  seen.distance = (own - at::matmul(weights, at_key)).mean().item<double>();
  const std::int64_t begin = std::max<std::int64_t>(0, options.needle_begin - first);
  const std::int64_t size = options.needle_end - first - begin;
  if (size > 0) seen.needle_mass = weights[rows - 1].narrow(0, begin, size).sum().item<double>();
  return seen;
}

}  // namespace

std::vector<HeadAttention> watch_attention(CausalLM& model, const std::vector<std::int64_t>& ids,
                                           const WatchOptions& options) {
  const auto tokens = static_cast<std::int64_t>(ids.size());
  if (options.needle_begin < 0 || options.needle_begin >= options.needle_end ||
      options.needle_end > tokens)
    throw UsageError(
        fmt::format("watching attention: a needle at tokens {} to {} of a prompt of {}",
                    options.needle_begin, options.needle_end, tokens));
  const c10::InferenceMode no_gradients;  // forward() fills the state in inference mode
  const at::Tensor all = as_sequence(ids);
  const std::int64_t rows = std::min(options.queries, tokens);
  State state(model.num_layers());
  state.reserve(tokens);
  for (std::int64_t at = 0; at < tokens - rows; at += options.chunk) {
    stop_if_interrupted();
    model.forward(all.narrow(1, at, std::min(options.chunk, tokens - rows - at)), state,
                  Logits::kNone);
  }
  std::vector<HeadAttention> seen;
  std::int64_t layer = 0;
  Pass pass = model.begin({tokens - rows}, rows);
  pass.watch = [&](const AttentionInputs& inputs) {
    for (std::int64_t head = 0; head < inputs.query.size(1); ++head) {
      seen.push_back(look(inputs, head, options, tokens));
      seen.back().layer = layer;
    }
  };
  at::Tensor hidden = model.embed(all.narrow(1, tokens - rows, rows));
  for (; layer < model.num_layers(); ++layer)
    hidden = model.layer(layer, hidden, &state.layer(layer), pass, rows);
  return seen;
}

}  // namespace niah::models
