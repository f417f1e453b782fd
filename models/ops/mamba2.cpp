#include "models/ops/mamba2.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace niah::models {
namespace {

// Scores grow with the chunk, states shrink with it; they are even near the sizes of state and
// head, 64 to 128.
constexpr std::int64_t kChunk = 64;

// Numbers of scores that are made at once: enough to be busy with, and no more memory than that
// whatever the pass' length.
constexpr std::int64_t kScoresAtOnce = std::int64_t{1} << 23;
// The states of so many chunks are one product with a triangular matrix, whose cost grows with
// their square.
constexpr std::int64_t kMostChunksAtOnce = 16;

// As in the delta rule: what is below exp(-80) does not reach any sum, and denormal factors are
// slow.
constexpr double kVanished = -80;

/// exp(x) for x <= 0, exactly zero where it would hardly count.
at::Tensor decay(const at::Tensor& x) { return at::exp(x).masked_fill(x.lt(kVanished), 0); }

/// exp(c_i - c_j) for sums c [..., n] and i >= j, zero above the diagonal, where it could overflow.
at::Tensor decay_between(const at::Tensor& c) {
  const std::int64_t n = c.size(-1);
  const at::Tensor later = at::ones({n, n}, c.options().dtype(at::kBool)).triu(1);
  return decay((c.unsqueeze(-1) - c.unsqueeze(-2))
                   .masked_fill(later, -std::numeric_limits<float>::infinity()));
}

/// What groups [B, G, ...] hold, for each of `heads`: [B, G, H/G, ...] without copies.
at::Tensor for_heads(const at::Tensor& groups, std::int64_t heads) {
  const at::Tensor shared = groups.unsqueeze(2);
  std::vector<std::int64_t> shape = shared.sizes().vec();
  shape[2] = heads / groups.size(1);
  return shared.expand(shape);
}

/// exp(x) of x [B, H, 1], of one sequence at a time: libtorch rounds functions of the numbers behind
/// the last whole vector of a tensor differently, and a few heads are no whole vector.
at::Tensor exp_of_each(const at::Tensor& x) {
  if (x.size(0) == 1) return at::exp(x);
  std::vector<at::Tensor> all;
  for (const at::Tensor& one : x.split(1)) all.push_back(at::exp(one));
  return at::cat(all);
}

Mamba2Result one_token(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                       const at::Tensor& input, const at::Tensor& readout,
                       const at::Tensor& state) {
  const auto row = [&](const at::Tensor& groups) {  // [B, H, 1, N]
    return for_heads(groups, x.size(1)).flatten(1, 2);
  };
  const at::Tensor taken = (x * step.unsqueeze(-1)).transpose(-1, -2);  // [B, H, P, 1]
  const at::Tensor next =
      at::addcmul(state * exp_of_each(log_decay).unsqueeze(-1), taken, row(input));
  return {at::matmul(next, row(readout).transpose(-1, -2)).transpose(-1, -2), next};
}

/// The states before each of M chunks and after the last, [B, H, M+1, P*N], from what each adds,
/// [B, H, M, P*N], and the logarithm of what each leaves of the state before it, [B, H, M]: S_{m+1}
/// = exp(total_m) S_m + added_m, all of them in one product.
at::Tensor chunk_states(const at::Tensor& added, const at::Tensor& total, const at::Tensor& state) {
  const at::Tensor first = at::zeros_like(total.narrow(-1, 0, 1));
  const at::Tensor left = decay_between(at::cat({first, total}, -1).cumsum(-1));  // [B, H, M+1, M+1]
  return at::matmul(left, at::cat({state.flatten(2).unsqueeze(2), added}, 2));
}

/// M chunks of L tokens: x [B, H, M, L, P], step, log_decay [B, H, M, L], input, readout
/// [B, G, M, L, N].
Mamba2Result run_chunks(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                        const at::Tensor& input, const at::Tensor& readout,
                        const at::Tensor& state) {
  const std::int64_t heads = x.size(1), groups = input.size(1), chunks = x.size(2);
  const std::int64_t length = x.size(3), size = x.size(4);
  const auto grouped = [&](const at::Tensor& of_heads) {  // [B, G, H/G, ...]
    return of_heads.unflatten(1, {groups, heads / groups});
  };
  const at::Tensor c = log_decay.cumsum(-1);     // [B, H, M, L]
  const at::Tensor taken = x * step.unsqueeze(-1);  // dt x

  // The products of C and B are the same for all heads of a group.
  const at::Tensor products = at::matmul(readout, input.transpose(-1, -2));  // [B, G, M, L, L]
  const at::Tensor scores =
      (grouped(decay_between(c)) * products.unsqueeze(2)).flatten(1, 2);  // [B, H, M, L, L]
  const at::Tensor within = at::matmul(scores, taken);

  // What each chunk adds to the state by its end, as rows P of columns N.
  const at::Tensor to_end = decay(c.narrow(-1, length - 1, 1) - c).unsqueeze(-1);
  const at::Tensor added = at::matmul(grouped(taken * to_end).transpose(-1, -2), input.unsqueeze(2))
                               .flatten(1, 2);  // [B, H, M, P, N]
  const at::Tensor states = chunk_states(added.flatten(3), c.select(-1, length - 1), state)
                                .unflatten(-1, {size, input.size(-1)});

  const at::Tensor before = grouped(states.narrow(2, 0, chunks)).transpose(-1, -2);
  const at::Tensor from_state =
      at::matmul(readout.unsqueeze(2), before).flatten(1, 2) * decay(c).unsqueeze(-1);
  return {(within + from_state).flatten(2, 3), states.select(2, chunks)};
}

}  // namespace

Mamba2Result mamba2(const at::Tensor& x, const at::Tensor& step, const at::Tensor& log_decay,
                    const at::Tensor& input, const at::Tensor& readout, const at::Tensor& state) {
  const std::int64_t batch = x.size(0), heads = x.size(1), tokens = x.size(2);
  at::Tensor current = state.defined()
                           ? state
                           : at::zeros({batch, heads, x.size(3), input.size(3)}, x.options());
  if (tokens == 1) return one_token(x, step, log_decay, input, readout, current);

  std::vector<at::Tensor> outputs;
  const auto run = [&](std::int64_t begin, std::int64_t chunks, std::int64_t length) {
    const auto cut = [&](const at::Tensor& all) {
      return all.narrow(2, begin, chunks * length).unflatten(2, {chunks, length});
    };
    Mamba2Result part =
        run_chunks(cut(x), cut(step), cut(log_decay), cut(input), cut(readout), current);
    outputs.push_back(part.output);
    current = part.state;
  };
  const std::int64_t at_once = std::clamp<std::int64_t>(
      kScoresAtOnce / (batch * heads * kChunk * kChunk), 1, kMostChunksAtOnce);
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  for (std::int64_t done = 0; done < chunks; done += at_once)
    run(done * kChunk, std::min(at_once, chunks - done), kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

}  // namespace niah::models
