#include "models/ops/mamba2.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/ops/batch.h"
#include "models/ops/chunks.h"
#include "models/ops/fp32_products.h"

namespace niah::models {
namespace {

// With larger chunks the work per token for scores grows and that for states shrinks; they balance
// near the sizes of state and head, 64 to 128.
constexpr std::int64_t kChunk = 64;

// Number of scores computed at once: enough to keep all cores busy, and a bound on memory for any
// length of a pass.
constexpr std::int64_t kScoresAtOnce = std::int64_t{1} << 23;

/// exp(c_i - c_j) in fp32 for cumulative sums c [..., n] in fp64 and i >= j; zero above the
/// diagonal, where it could overflow. Sums of strong decays are large and differ little, so in fp32
/// their differences would suffer from cancellation.
at::Tensor decay_between(const at::Tensor& c) {
  const std::int64_t n = c.size(-1);
  const at::Tensor later = at::ones({n, n}, c.options().dtype(at::kBool)).triu(1);
  return decay((c.unsqueeze(-1) - c.unsqueeze(-2))
                   .to(at::kFloat)
                   .masked_fill(later, -std::numeric_limits<float>::infinity()));
}

/// Expands groups [B, G, ...] to the heads of each group, [B, G, H/G, ...], without copies.
at::Tensor for_heads(const at::Tensor& groups, std::int64_t heads) {
  const at::Tensor shared = groups.unsqueeze(2);
  std::vector<std::int64_t> shape = shared.sizes().vec();
  shape[2] = heads / groups.size(1);
  return shared.expand(shape);
}

Mamba2Result one_token(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                       const at::Tensor& input, const at::Tensor& readout,
                       const at::Tensor& state) {
  const auto row = [&](const at::Tensor& groups) {  // [B, H, 1, N]
    return for_heads(groups, x.size(1)).flatten(1, 2);
  };
  const at::Tensor taken = (x * step.unsqueeze(-1)).transpose(-1, -2);  // [B, H, P, 1]
  const at::Tensor left =
      for_each_of_batch(log_decay, [](const at::Tensor& one) { return at::exp(one); });
  const at::Tensor next = at::addcmul(state * left.unsqueeze(-1), taken, row(input));
  return {at::matmul(next, row(readout).transpose(-1, -2)).transpose(-1, -2), next};
}

/// The states before each of M chunks and after the last one, [..., M+1, P*N], by the recurrence
/// S_{m+1} = exp(total_m) S_m + added_m: `first` state [..., 1, P*N], contribution of each chunk
/// `added` [..., M, P*N], log decay over each chunk `total` [..., M]. A single matrix product.
at::Tensor chunk_states(const at::Tensor& first, const at::Tensor& added, const at::Tensor& total) {
  const at::Tensor none = at::zeros_like(total.narrow(-1, 0, 1));
  const at::Tensor left = decay_between(at::cat({none, total}, -1).cumsum(-1));  // [..., M+1, M+1]
  return at::matmul(left, at::cat({first, added}, -2));
}

/// M chunks of L tokens, where each of G groups has R heads: x [B, G, R, M, L, P], step and
/// log_decay [B, G, R, M, L], input and readout [B, G, M, L, N], state [B, G, R, P, N]. The output
/// has the shape of x. The heads of a group share input and readout, so products with these are
/// computed for all R heads together, as columns of one matrix.
Mamba2Result run_chunks(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                        const at::Tensor& input, const at::Tensor& readout,
                        const at::Tensor& state) {
  const std::int64_t heads = x.size(2), chunks = x.size(3), length = x.size(4), size = x.size(5);
  const at::Tensor c = log_decay.cumsum(-1, at::kDouble);
  const at::Tensor taken = x * step.unsqueeze(-1);  // dt x

  const at::Tensor products = at::matmul(readout, input.transpose(-1, -2));  // [B, G, M, L, L]
  const at::Tensor scores = decay_between(c) * products.unsqueeze(2);        // [B, G, R, M, L, L]
  const at::Tensor within = at::matmul(scores, taken);                       // [B, G, R, M, L, P]

  // The contribution of each chunk to the state at its end, [P, N] per head.
  const at::Tensor to_end = decay((c.narrow(-1, length - 1, 1) - c).to(at::kFloat)).unsqueeze(-1);
  const at::Tensor rows =  // [B, G, M, R*P, L]
      (taken * to_end).permute({0, 1, 3, 2, 5, 4}).flatten(3, 4);
  const at::Tensor added = at::matmul(rows, input)  // [B, G, R, M, P*N]
                               .unflatten(3, {heads, size})
                               .flatten(4)
                               .transpose(2, 3);
  const at::Tensor states =  // [B, G, R, M+1, P, N]
      chunk_states(state.flatten(3).unsqueeze(3), added, c.select(-1, length - 1))
          .unflatten(-1, {size, input.size(-1)});

  const at::Tensor before =  // [B, G, M, R*P, N]
      states.narrow(3, 0, chunks).transpose(2, 3).flatten(3, 4);
  const at::Tensor from_state = at::matmul(readout, before.transpose(-1, -2))
                                    .unflatten(-1, {heads, size})
                                    .permute({0, 1, 4, 2, 3, 5});
  return {within + from_state * decay(c.to(at::kFloat)).unsqueeze(-1), states.select(3, chunks)};
}

}  // namespace

Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state) {
  const Fp32Products fp32_products;
  const std::int64_t batch = x.size(0), heads = x.size(1), tokens = x.size(2);
  at::Tensor current =
      state.defined() ? state : at::zeros({batch, heads, x.size(3), input.size(3)}, x.options());
  if (tokens == 1) return one_token(x, step, log_decay, input, readout, current);

  const std::int64_t groups = input.size(1);
  current = current.unflatten(1, {groups, heads / groups});
  std::vector<at::Tensor> outputs;
  const auto run = [&](std::int64_t begin, std::int64_t chunks, std::int64_t length) {
    const auto cut = [&](const at::Tensor& all) { return in_chunks(all, begin, chunks, length); };
    const auto cut_heads = [&](const at::Tensor& all) {
      return cut(all).unflatten(1, {groups, heads / groups});
    };
    const Mamba2Result part = run_chunks(cut_heads(x), cut_heads(step), cut_heads(log_decay),
                                         cut(input), cut(readout), current);
    outputs.push_back(part.output.flatten(3, 4).flatten(1, 2));
    current = part.state;
  };
  const std::int64_t at_once = std::clamp<std::int64_t>(
      kScoresAtOnce / (batch * heads * kChunk * kChunk), 1, kMostChunksAtOnce);
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  for (std::int64_t done = 0; done < chunks; done += at_once)
    run(done * kChunk, std::min(at_once, chunks - done), kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  // Copied, because a view would keep the states before all chunks alive.
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2),
          current.flatten(1, 2).clone(at::MemoryFormat::Contiguous)};
}

}  // namespace niah::models
