#include "models/ops/lightning.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

// Work a token grows with the chunk (scores) and shrinks with it (states); 64 is near the best for
// head sizes from 32 to 128.
constexpr std::int64_t kChunk = 64;

// The states of so many chunks are one product with a triangular matrix, whose cost grows with their
// square.
constexpr std::int64_t kMostChunksAtOnce = 16;

// exp(-80) is far below the rounding of any sum it takes part in; smaller factors would soon be
// denormal numbers, on which a product runs fifty times slower.
constexpr double kVanished = 80;

/// exp(-slope * exponent) for slopes [H] and any exponents, [H, ...]; zero where exponent < 0.
at::Tensor decay(const at::Tensor& slopes, const at::Tensor& exponents) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(exponents.dim()) + 1, 1);
  shape[0] = slopes.size(0);
  const at::Tensor loss = slopes.view(shape) * exponents.unsqueeze(0);
  return at::exp(-loss).masked_fill(loss.lt(0).bitwise_or(loss.gt(kVanished)), 0);
}

at::Tensor count_to(std::int64_t n, const at::Tensor& like) {
  return at::arange(n, like.options());
}

/// N chunks of C tokens each: q, k, v [B, H, N, C, D], state [B, H, D, D]. Products are added in place:
/// a pass over the states of all chunks costs as much as a product.
LightningResult run_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const std::int64_t heads = q.size(1), chunks = q.size(2), length = q.size(3), dim = q.size(4);
  const auto side_by_side = [](const at::Tensor& x) { return x.flatten(0, x.dim() - 3); };
  const auto in_side_by_side = [](const at::Tensor& x) {  // where a copy would be lost
    return x.view({-1, x.size(-2), x.size(-1)});
  };
  const at::Tensor i = count_to(length, slopes);
  const at::Tensor n = count_to(chunks, slopes);

  // What each chunk adds to the state by its end: (decay^(C-1-j) K)^T V.
  const at::Tensor to_end = decay(slopes, length - 1 - i).view({1, heads, 1, length, 1});
  const at::Tensor added = at::matmul((k * to_end).transpose(-1, -2), v);  // [B, H, N, D, D]

  // The state before each chunk, and after the last: a linear recurrence with one factor a head, so
  // it is a product with the triangular matrix of powers of that factor.
  const at::Tensor all_added = side_by_side(added.flatten(3));  // [B*H, N, D*D]
  const auto states_at = [&](const at::Tensor& ends) {          // before chunk number `ends` [M]
    const at::Tensor left =                                     // [H, M, N]
        decay(slopes, (ends.unsqueeze(1) - 1 - n.unsqueeze(0)) * length);
    at::Tensor states =  // [B, H, M, D*D]
        decay(slopes, ends * length).unsqueeze(-1) * state.flatten(2).unsqueeze(2);
    in_side_by_side(states).baddbmm_(side_by_side(left.expand({q.size(0), -1, -1, -1})), all_added);
    return states.unflatten(-1, {dim, dim});
  };

  const at::Tensor mask =  // [H, 1, C, C]
      decay(slopes, i.unsqueeze(1) - i.unsqueeze(0)).unsqueeze(1) * scale;
  const at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * mask;
  const at::Tensor from_state = decay(slopes, i + 1).view({1, heads, 1, length, 1}) * scale;
  const at::Tensor output = at::matmul(scores, v);
  in_side_by_side(output).baddbmm_(side_by_side(q * from_state), side_by_side(states_at(n)));
  return {output.flatten(2, 3), states_at(n.narrow(0, 0, 1) + chunks).squeeze(2)};
}

LightningResult one_token(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const at::Tensor next =
      at::addcmul(state * at::exp(-slopes).view({1, -1, 1, 1}), k.transpose(-1, -2), v);
  return {at::matmul(q * scale, next), next};
}

at::Tensor chunked(const at::Tensor& x, std::int64_t begin, std::int64_t chunks,
                   std::int64_t length) {
  return x.narrow(2, begin, chunks * length).unflatten(2, {chunks, length});
}

at::Tensor repeat_heads(const at::Tensor& x, std::int64_t heads) {
  return x.size(1) == heads ? x : x.repeat_interleave(heads / x.size(1), 1);
}

/// By tensor operations. q, k, v [B, H, T, D] fp32.
LightningResult by_tensors(const at::Tensor& q, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& slopes, double scale, const at::Tensor& state) {
  const std::int64_t tokens = q.size(2);
  if (tokens == 1) return one_token(q, key, value, slopes, scale, state);
  at::Tensor current = state;
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  std::vector<at::Tensor> outputs;
  const auto run = [&](std::int64_t begin, std::int64_t count, std::int64_t length) {
    LightningResult part =
        run_chunks(chunked(q, begin, count, length), chunked(key, begin, count, length),
                   chunked(value, begin, count, length), slopes, scale, current);
    outputs.push_back(part.output);
    current = part.state;
  };
  for (std::int64_t done = 0; done < chunks; done += kMostChunksAtOnce)
    run(done * kChunk, std::min(kMostChunksAtOnce, chunks - done), kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

bool has_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return cpu::applies({q, k, v}) && cpu::has_whole_rows({q, k, v});
}

/// By the processor's kernel, a head at a time. `state` is brought forward in place.
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
  const std::int64_t heads = query.size(1), dim = query.size(3);
  const at::Tensor before = state.defined() ? state
                                            : at::zeros({query.size(0), heads, dim, dim},
                                                        query.options().dtype(at::kFloat));
  if (has_kernel(query, key, value))
    return by_kernel(query, key, value, slopes, scale, before.clone(at::MemoryFormat::Contiguous));
  // A head's tokens after each other, so that no product has to copy them.
  const auto wide = [](const at::Tensor& x) {
    return x.to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous);
  };
  LightningResult result = by_tensors(wide(query), wide(repeat_heads(key, heads)),
                                      wide(repeat_heads(value, heads)), slopes, scale, before);
  result.output = result.output.to(query.scalar_type());
  return result;
}

}  // namespace niah::models
