#include "models/ops/lightning.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/ops/chunks.h"
#include "models/ops/cpu/applies.h"
#include "models/ops/fp32_products.h"

namespace niah::models {
namespace {

// With larger chunks the work per token for scores grows and that for states shrinks; 64 is near
// the optimum for head sizes from 32 to 128.
constexpr std::int64_t kChunk = 64;

/// exp(-slope * exponent) for slopes [H] and any exponents, [H, ...]; zero where exponent < 0.
at::Tensor decay_of_heads(const at::Tensor& slopes, const at::Tensor& exponents) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(exponents.dim()) + 1, 1);
  shape[0] = slopes.size(0);
  const at::Tensor loss = slopes.view(shape) * exponents.unsqueeze(0);
  return at::exp(-loss).masked_fill(loss.lt(0).bitwise_or(loss.gt(kVanished)), 0);
}

/// Decays within and between N chunks of C tokens.
struct Decays {
  at::Tensor to_end;      ///< from each token to its chunk's end, [H, C, 1]
  at::Tensor from_start;  ///< from before a chunk to each of its tokens, times the scale, [H, C, 1]
  at::Tensor within;      ///< from token j to token i, times the scale; zero for j > i: [H, C, C]
  at::Tensor between;     ///< from chunk n's end to before chunk m; zero for n >= m: [H, N+1, N]
  at::Tensor before;      ///< from before the first chunk to before chunk m, [N+1, H, 1]
};

Decays decays_of(const at::Tensor& slopes, double scale, std::int64_t chunks, std::int64_t length) {
  const at::Tensor i = at::arange(length, slopes.options());
  const at::Tensor m = at::arange(chunks + 1, slopes.options());
  return {
      decay_of_heads(slopes, length - 1 - i).unsqueeze(-1),
      decay_of_heads(slopes, i + 1).unsqueeze(-1) * scale,
      decay_of_heads(slopes, i.unsqueeze(1) - i.unsqueeze(0)) * scale,
      decay_of_heads(slopes, (m.unsqueeze(1) - 1 - m.narrow(0, 0, chunks).unsqueeze(0)) * length),
      decay_of_heads(slopes, m * length).t().contiguous().unsqueeze(-1)};
}

/// N chunks of C tokens: q, k, v [B, N, H, C, D], chunks before heads so that consecutive chunks
/// are contiguous; state [B, H, D, D]. The output has the shape of q. Products are added in place,
/// because a separate pass over the states of all chunks would cost as much as a product.
LightningResult run_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const Decays& decays, const at::Tensor& state) {
  const std::int64_t batch = q.size(0), chunks = q.size(1), dim = q.size(4);
  // The contribution of each chunk to the state at its end: (decay^(C-1-j) K)^T V.
  const at::Tensor added =  // [B, N, H, D*D]
      at::matmul((k * decays.to_end).transpose(-1, -2), v).flatten(3);

  // The state before each chunk and after the last one: a linear recurrence with one factor per
  // head, hence a product with the triangular matrix of the powers of that factor.
  const auto states_before = [&](std::int64_t first, std::int64_t count) {  // [B, count, H, D, D]
    at::Tensor states = decays.before.narrow(0, first, count) * state.flatten(2).unsqueeze(1);
    for (std::int64_t b = 0; b < batch; ++b)
      states[b].transpose(0, 1).baddbmm_(decays.between.narrow(1, first, count),
                                         added[b].transpose(0, 1));
    return states.unflatten(-1, {dim, dim});
  };

  const at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * decays.within;
  const at::Tensor output = at::matmul(scores, v);
  const auto side_by_side = [](const at::Tensor& x) { return x.flatten(0, 2); };
  output
      .view({-1, q.size(3), dim})  // a view, because results are added to it
      .baddbmm_(side_by_side(q * decays.from_start), side_by_side(states_before(0, chunks)));
  return {output, states_before(chunks, 1).squeeze(1)};
}

/// q, k, v [B, H, 1, D].
LightningResult one_token(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const at::Tensor next =
      at::addcmul(state * at::exp(-slopes).view({1, -1, 1, 1}), k.transpose(-1, -2), v);
  return {at::matmul(q * scale, next), next};
}

at::Tensor repeat_heads(const at::Tensor& x, std::int64_t heads) {
  return x.size(1) == heads ? x : x.repeat_interleave(heads / x.size(1), 1);
}

/// Tokens of x [B, H_kv, T, D] as chunks of `heads` heads in fp32: [B, N, H, C, D], in one copy.
at::Tensor chunked(const at::Tensor& x, std::int64_t heads, std::int64_t begin, std::int64_t chunks,
                   std::int64_t length) {
  const std::int64_t kv_heads = x.size(1);
  at::Tensor own = at::empty({x.size(0), chunks, heads, length, x.size(3)},
                             x.options().dtype(at::kFloat).requires_grad(false));
  own.unflatten(2, {kv_heads, heads / kv_heads})
      .copy_(in_chunks(x, begin, chunks, length).transpose(1, 2).unsqueeze(3));
  return own;
}

/// Chunks [B, N, H, C, D] as [B, N*C, H, D] of another type, in one copy.
at::Tensor in_order(const at::Tensor& chunks, at::ScalarType type) {
  const at::Tensor tokens = chunks.transpose(2, 3);  // [B, N, C, H, D]
  at::Tensor own = at::empty(tokens.sizes(), chunks.options().dtype(type).requires_grad(false));
  own.copy_(tokens);
  return own.flatten(1, 2);
}

/// Uses tensor operations only.
LightningResult by_tensors(const at::Tensor& q, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const std::int64_t heads = q.size(1), tokens = q.size(2);
  if (tokens == 1) {
    LightningResult one =
        one_token(q.to(at::kFloat), repeat_heads(key, heads).to(at::kFloat),
                  repeat_heads(value, heads).to(at::kFloat), slopes, scale, state);
    one.output = one.output.to(q.scalar_type());
    return one;
  }
  at::Tensor current = state;
  std::vector<at::Tensor> outputs;  // [B, t, H, D]
  const auto run = [&](std::int64_t begin, std::int64_t chunks, std::int64_t length) {
    const at::Tensor all_q = chunked(q, heads, begin, chunks, length);
    const at::Tensor all_k = chunked(key, heads, begin, chunks, length);
    const at::Tensor all_v = chunked(value, heads, begin, chunks, length);
    Decays decays = decays_of(slopes, scale, std::min(chunks, kMostChunksAtOnce), length);
    for (std::int64_t done = 0; done < chunks; done += kMostChunksAtOnce) {
      const std::int64_t count = std::min(kMostChunksAtOnce, chunks - done);
      if (decays.between.size(2) != count) decays = decays_of(slopes, scale, count, length);
      const auto some = [&](const at::Tensor& x) { return x.narrow(1, done, count); };
      const LightningResult part =
          run_chunks(some(all_q), some(all_k), some(all_v), decays, current);
      outputs.push_back(in_order(part.output, q.scalar_type()));
      current = part.state;
    }
  };
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  if (chunks > 0) run(0, chunks, kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  const at::Tensor output = outputs.size() == 1 ? outputs[0] : at::cat(outputs, 1);
  return {output.transpose(1, 2), current};
}

bool has_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return cpu::applies({q, k, v}) && cpu::has_whole_rows({q, k, v});
}

/// Uses the CPU kernel, one head at a time. Updates `state` in place.
LightningResult by_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const std::int64_t heads = q.size(1), tokens = q.size(2), dim = q.size(3);
  const std::int64_t groups = heads / k.size(1);
  const at::Tensor output = cpu::empty_heads(q.size(0), heads, tokens, dim, q.options());
  const at::Tensor slope = slopes.contiguous();
  cpu::with_kernels(q, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    at::parallel_for(0, q.size(0) * heads, 1, [&](std::int64_t begin, std::int64_t end) {
      const c10::DataPtr scratch = cpu::allocate_scratch(cpu::lightning_scratch(dim));
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t batch = i / heads, head = i % heads;
        kernels.lightning(
            {cpu::head_of<T>(q, batch, head), cpu::head_of<T>(k, batch, head / groups),
             cpu::head_of<T>(v, batch, head / groups), cpu::mutable_head_of<T>(output, batch, head),
             q.stride(2), k.stride(2), v.stride(2), output.stride(2), tokens, dim,
             slope.const_data_ptr<float>()[head], static_cast<float>(scale),
             cpu::mutable_head_of<float>(state, batch, head), static_cast<float*>(scratch.get())});
      }
    });
  });
  return {output, state};
}

}  // namespace

at::Tensor lightning_slopes(std::int64_t heads) {
  const auto power_of_two = [](std::int64_t count) {
    std::vector<float> slopes;
    for (std::int64_t h = 0; h < count; ++h)
      slopes.push_back(static_cast<float>(
          std::pow(2.0, -8.0 * static_cast<double>(h + 1) / static_cast<double>(count))));
    return slopes;
  };
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<float> slopes = power_of_two(power);
  const std::vector<float> finer = power_of_two(2 * power);
  for (std::size_t i = 0; static_cast<std::int64_t>(slopes.size()) < heads; i += 2)
    slopes.push_back(finer[i]);
  return torch::tensor(slopes);
}

LightningResult lightning_attention(const at::Tensor& query, const at::Tensor& key,
                                    const at::Tensor& value, const at::Tensor& slopes, double scale,
                                    const at::Tensor& state) {
  const Fp32Products fp32_products;
  const std::int64_t heads = query.size(1), dim = query.size(3);
  const at::Tensor before = state.defined() ? state
                                            : at::zeros({query.size(0), heads, dim, dim},
                                                        query.options().dtype(at::kFloat));
  if (has_kernel(query, key, value))
    return by_kernel(query, key, value, slopes, scale, before.clone(at::MemoryFormat::Contiguous));
  return by_tensors(query, key, value, slopes, scale, before);
}

}  // namespace niah::models
