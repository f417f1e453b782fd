#include "models/ops/delta_rule.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <limits>
#include <vector>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

constexpr std::int64_t kChunk = 64;

// As in lightning attention: what is below exp(-80) does not reach any sum, and denormal factors
// are slow.
constexpr double kVanished = -80;

/// exp(x) for x <= 0, exactly zero where it would hardly count.
at::Tensor decay(const at::Tensor& x) { return at::exp(x).masked_fill(x.lt(kVanished), 0); }

DeltaRuleResult one_token(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  const at::Tensor decayed = state * at::exp(g).unsqueeze(-1);
  const at::Tensor u = (v - at::matmul(k, decayed)) * beta.unsqueeze(-1);  // [B, H, 1, V]
  const at::Tensor next = decayed + at::matmul(k.transpose(-1, -2), u);
  return {at::matmul(q, next), next};
}

/// N chunks of C tokens: q, k [B, H, N, C, K], v [B, H, N, C, V], g, beta [B, H, N, C]. Letters as
/// in the literature: (I + A) [U | W] = [beta V | beta exp(c) K].
DeltaRuleResult run_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t chunks = q.size(2), length = q.size(3), key_dim = q.size(4);
  const at::Tensor c = g.cumsum(-1);  // [B, H, N, C]
  const at::Tensor b = beta.unsqueeze(-1), from_start = decay(c).unsqueeze(-1);
  const at::Tensor future = at::ones({length, length}, q.options().dtype(at::kBool)).triu(1);
  const at::Tensor between =  // exp(c_i - c_j), zero above the diagonal, where it could overflow
      decay((c.unsqueeze(-1) - c.unsqueeze(-2))
                .masked_fill(future, -std::numeric_limits<float>::infinity()));
  const at::Tensor keys = k.transpose(-1, -2);
  const at::Tensor a = (at::matmul(k, keys) * between * b).tril(-1);
  const at::Tensor right = at::cat({k * (b * from_start), v * b}, -1);
  const at::Tensor solved =
      at::linalg_solve_triangular(a, right, /*upper=*/false, /*left=*/true, /*unitriangular=*/true);
  const at::Tensor w = solved.narrow(-1, 0, key_dim);
  const at::Tensor u = solved.narrow(-1, key_dim, v.size(4));
  const at::Tensor scores = at::matmul(q, keys) * between;  // the diagonal belongs to it
  const at::Tensor q_from_start = q * from_start;
  const at::Tensor to_end = decay(c.narrow(-1, length - 1, 1) - c).unsqueeze(-2);  // [..., 1, C]
  const at::Tensor keys_to_end = keys * to_end;
  const at::Tensor whole = from_start.narrow(-2, length - 1, 1);  // [B, H, N, 1, 1]

  at::Tensor current = state;
  std::vector<at::Tensor> outputs;
  for (std::int64_t n = 0; n < chunks; ++n) {
    const auto at_n = [&](const at::Tensor& x) { return x.select(2, n); };
    const at::Tensor r = at_n(u) - at::matmul(at_n(w), current);  // the chunk's vectors u
    outputs.push_back(at::matmul(at_n(q_from_start), current) + at::matmul(at_n(scores), r));
    current = current * at_n(whole) + at::matmul(at_n(keys_to_end), r);
  }
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

bool has_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                const at::Tensor& beta) {
  return q.scalar_type() == at::kFloat && cpu::applies({q, k, v, g, beta}) &&
         cpu::has_whole_rows({q, k, v});
}

/// By the processor's kernel, a head at a time. `state` is brought forward in place.
DeltaRuleResult by_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t heads = v.size(1), tokens = q.size(2), dim = v.size(3);
  const std::int64_t share = heads / q.size(1);
  const at::Tensor output = cpu::empty_heads(q.size(0), heads, tokens, dim, v.options());
  at::parallel_for(0, q.size(0) * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::DataPtr scratch = cpu::allocate_scratch(cpu::delta_rule_scratch(q.size(3), dim));
    for (std::int64_t i = begin; i < end; ++i) {
      const auto of = [&](const at::Tensor& x, std::int64_t group = 1) {
        return cpu::head_of<float>(x, i / heads, i % heads / group);
      };
      cpu::kernels().delta_rule({of(q, share), of(k, share), of(v), of(g), of(beta),
                                 cpu::mutable_head_of<float>(output, i / heads, i % heads),
                                 q.stride(2), k.stride(2), v.stride(2), g.stride(2), beta.stride(2),
                                 output.stride(2), tokens, q.size(3), dim,
                                 cpu::mutable_head_of<float>(state, i / heads, i % heads),
                                 static_cast<float*>(scratch.get())});
    }
  });
  return {output, state};
}

}  // namespace

DeltaRuleResult gated_delta_rule(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, const at::Tensor& log_decay,
                                 const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t tokens = query.size(2);
  at::Tensor current = state.defined()
                           ? state
                           : at::zeros({query.size(0), value.size(1), query.size(3), value.size(3)},
                                       query.options());
  if (has_kernel(query, key, value, log_decay, beta))
    return by_kernel(query, key, value, log_decay, beta,
                     current.clone(at::MemoryFormat::Contiguous));
  const std::int64_t share = value.size(1) / query.size(1);
  const at::Tensor q = share == 1 ? query : query.repeat_interleave(share, 1);
  const at::Tensor k = share == 1 ? key : key.repeat_interleave(share, 1);
  if (tokens == 1) return one_token(q, k, value, log_decay, beta, current);

  std::vector<at::Tensor> outputs;
  const auto run = [&](std::int64_t begin, std::int64_t chunks, std::int64_t length) {
    const auto cut = [&](const at::Tensor& x) {
      return x.narrow(2, begin, chunks * length).unflatten(2, {chunks, length});
    };
    DeltaRuleResult part =
        run_chunks(cut(q), cut(k), cut(value), cut(log_decay), cut(beta), current);
    outputs.push_back(part.output);
    current = part.state;
  };
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  if (chunks > 0) run(0, chunks, kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

}  // namespace niah::models
