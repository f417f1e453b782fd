#include "models/ops/delta_rule.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "models/ops/chunks.h"
#include "models/ops/cpu/applies.h"
#include "models/ops/fp32_products.h"

namespace niah::models {
namespace {

constexpr std::int64_t kChunk = 64;

/// exp(g) of one token, with one g or one per channel, as a factor on the state: [B, H, 1 or K, 1].
at::Tensor state_factor(const at::Tensor& g) {
  return at::exp(g.dim() == 4 ? g.transpose(-1, -2) : g.unsqueeze(-1));
}

DeltaRuleResult one_token(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  // One sequence at a time: libtorch may round differently if there are more heads.
  if (q.is_cpu() && q.size(0) > 1) {
    std::vector<at::Tensor> outputs, states;
    for (std::int64_t i = 0; i < q.size(0); ++i) {
      const auto own = [&](const at::Tensor& x) { return x.narrow(0, i, 1); };
      const DeltaRuleResult one = one_token(own(q), own(k), own(v), own(g), own(beta), own(state));
      outputs.push_back(one.output);
      states.push_back(one.state);
    }
    return {at::cat(outputs), at::cat(states)};
  }
  const at::Tensor decayed = state * state_factor(g);
  const at::Tensor u = (v - at::matmul(k, decayed)) * beta.unsqueeze(-1);  // [B, H, 1, V]
  const at::Tensor next = decayed + at::matmul(k.transpose(-1, -2), u);
  return {at::matmul(q, next), next};
}

/// Decays, and products with decays, within N chunks of C tokens.
struct Decayed {
  at::Tensor overlaps;    ///< k_i k_j times the decay from j to i, for j < i: [B, H, N, C, C]
  at::Tensor scores;      ///< q_i k_j times the decay from j to i, for j <= i; zero elsewhere
  at::Tensor from_start;  ///< decay from before the chunk to each token: [B, H, N, C, 1 or K]
  at::Tensor to_end;      ///< decay from each token to the last one of the chunk
};

/// With one decay per token: q, k [B, H, N, C, K], g [B, H, N, C].
Decayed decay_tokens(const at::Tensor& q, const at::Tensor& k, const at::Tensor& g) {
  const std::int64_t length = q.size(3);
  const at::Tensor c = g.cumsum(-1);  // [B, H, N, C]
  const at::Tensor future = at::ones({length, length}, q.options().dtype(at::kBool)).triu(1);
  const at::Tensor between =  // exp(c_i - c_j), zero above the diagonal, where it could overflow
      decay((c.unsqueeze(-1) - c.unsqueeze(-2))
                .masked_fill(future, -std::numeric_limits<float>::infinity()));
  const at::Tensor keys = k.transpose(-1, -2);
  return {at::matmul(k, keys) * between, at::matmul(q, keys) * between, decay(c).unsqueeze(-1),
          decay(c.narrow(-1, length - 1, 1) - c).unsqueeze(-1)};
}

/// With one decay per channel: q, k, g [B, H, N, C, K], C a power of two. The decay from j to i is
/// then a factor on each channel within the product k_i k_j. Written as exp(c_i) exp(-c_j) it would
/// overflow; one factor per pair and channel would need C times the memory of the keys. Therefore
/// adjacent spans of tokens are merged, two at a time, until one is left. The boundary between two
/// spans splits the decay from a token of the earlier span to a token of the later one into two
/// factors, neither above 1, one for each operand of a matrix product. Their logarithms are sums of
/// g without subtraction, so weak decays keep their precision next to strong ones.
Decayed decay_channels(const at::Tensor& q, const at::Tensor& k, const at::Tensor& g) {
  // For C/h spans of h tokens: log decays [B, H, N, C/h, h, K], products [B, H, N, C/h, h, h].
  at::Tensor from_start = g.unsqueeze(-2), to_end = at::zeros_like(from_start);
  at::Tensor scores = (q * k).sum(-1, /*keepdim=*/true).unsqueeze(-1);
  at::Tensor overlaps = at::zeros_like(scores);
  const auto half = [](const at::Tensor& x, std::int64_t which) {
    return x.unflatten(3, {-1, 2}).select(4, which);
  };
  for (std::int64_t h = 1; h < q.size(3); h *= 2) {
    const auto rows = [&](const at::Tensor& x, std::int64_t which) {
      return x.unflatten(3, {-1, 2, h}).select(4, which);
    };
    const at::Tensor first = half(from_start, 0), second = half(from_start, 1);
    const at::Tensor from_meeting = decay(second), to_meeting = decay(half(to_end, 0));
    const at::Tensor earlier = (rows(k, 0) * to_meeting).transpose(-1, -2);
    const auto join = [&](const at::Tensor& products, const at::Tensor& later) {
      const at::Tensor across = at::matmul(rows(later, 1) * from_meeting, earlier);
      return at::cat({at::constant_pad_nd(half(products, 0), {0, h}),
                      at::cat({across, half(products, 1)}, -1)},
                     -2);
    };
    overlaps = join(overlaps, k);
    scores = join(scores, q);
    const auto whole = [&](const at::Tensor& stretch) { return stretch.narrow(-2, h - 1, 1); };
    to_end = at::cat({half(to_end, 0) + whole(second), half(to_end, 1)}, -2);
    from_start = at::cat({first, whole(first) + second}, -2);
  }
  return {overlaps.squeeze(3), scores.squeeze(3), decay(from_start.squeeze(3)),
          decay(to_end.squeeze(3))};
}

/// N chunks, prepared for the sequential part: with S the state before a chunk, its vectors u are
/// u - w S.
struct Chunks {
  at::Tensor u;             ///< [B, H, N, C, V]
  at::Tensor w;             ///< [B, H, N, C, K]
  at::Tensor q_from_start;  ///< queries times from_start, [B, H, N, C, K]
  at::Tensor keys_to_end;   ///< keys times to_end, transposed, [B, H, N, K, C]
  at::Tensor scores;        ///< [B, H, N, C, C]
  at::Tensor whole;         ///< decay over the whole chunk, [B, H, N, 1 or K, 1]
};

/// Runs the chunks one after the other; differentiable.
DeltaRuleResult join_chunks(const Chunks& in, const at::Tensor& state) {
  at::Tensor current = state;
  std::vector<at::Tensor> outputs;
  for (std::int64_t n = 0; n < in.u.size(2); ++n) {
    const auto at_n = [&](const at::Tensor& x) { return x.select(2, n); };
    const at::Tensor r = at_n(in.u) - at::matmul(at_n(in.w), current);  // the chunk's vectors u
    outputs.push_back(at::matmul(at_n(in.q_from_start), current) + at::matmul(at_n(in.scores), r));
    current = current * at_n(in.whole) + at::matmul(at_n(in.keys_to_end), r);
  }
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

/// The same in place, with three products per chunk and no copies; the outputs of several chunks
/// are computed together.
DeltaRuleResult join_in_place(const Chunks& in, const at::Tensor& state) {
  const std::int64_t chunks = in.u.size(2);
  const auto heads_of = [](const at::Tensor& x) { return x.flatten(0, 1); };  // [B*H, ...]
  const auto in_heads_of = [](const at::Tensor& x) {  // a view, because results are written to it
    return x.view({-1, x.size(2), x.size(3)});
  };
  std::vector<at::Tensor> outputs;
  at::Tensor current = state;
  for (std::int64_t begin = 0; begin < chunks; begin += kMostChunksAtOnce) {
    const std::int64_t count = std::min(chunks - begin, kMostChunksAtOnce);
    std::vector<std::int64_t> shape = state.sizes().vec();
    shape.insert(shape.begin() + 2, count + 1);
    at::Tensor states = at::empty(shape, state.options());  // before each chunk, and after the last
    states.select(2, 0).copy_(current);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at_n = [&](const at::Tensor& x) { return heads_of(x.select(2, begin + i)); };
      const at::Tensor before = in_heads_of(states.select(2, i));
      at::Tensor after = in_heads_of(states.select(2, i + 1));
      at::Tensor u = in_heads_of(in.u.select(2, begin + i));
      u.baddbmm_(at_n(in.w), before, /*beta=*/1, /*alpha=*/-1);  // now the chunk's vectors u
      at::mul_out(after, before, at_n(in.whole)).baddbmm_(at_n(in.keys_to_end), u);
    }
    const auto some = [&](const at::Tensor& x) { return x.narrow(2, begin, count); };
    outputs.push_back(at::matmul(some(in.scores), some(in.u))
                          .add_(at::matmul(some(in.q_from_start), states.narrow(2, 0, count)))
                          .flatten(2, 3));
    current = states.select(2, count);
  }
  // Copied, because a view would keep the states before all chunks alive.
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2),
          current.clone(at::MemoryFormat::Contiguous)};
}

/// N chunks of C tokens: q, k [B, H, N, C, K], v [B, H, N, C, V], g [B, H, N, C] or [B, H, N, C,
/// K], beta [B, H, N, C]. Solves (I + A) [U | W] = [beta V | beta exp(c) K], the WY form of the
/// papers.
DeltaRuleResult run_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t length = q.size(3), key_dim = q.size(4);
  const Decayed decayed = g.dim() == q.dim() ? decay_channels(q, k, g) : decay_tokens(q, k, g);
  const at::Tensor b = beta.unsqueeze(-1);
  const at::Tensor a = (decayed.overlaps * b).tril(-1);
  const at::Tensor right = at::cat({k * (b * decayed.from_start), v * b}, -1);
  const at::Tensor solved =
      at::linalg_solve_triangular(a, right, /*upper=*/false, /*left=*/true, /*unitriangular=*/true);
  const at::Tensor w = solved.narrow(-1, 0, key_dim);
  const at::Tensor u = solved.narrow(-1, key_dim, v.size(4));
  const at::Tensor q_from_start = q * decayed.from_start;
  const at::Tensor keys_to_end = (k * decayed.to_end).transpose(-1, -2);
  const at::Tensor whole =  // [B, H, N, 1 or K, 1]
      decayed.from_start.narrow(-2, length - 1, 1).transpose(-1, -2);

  return at::GradMode::is_enabled()
             ? join_chunks({u, w, q_from_start, keys_to_end, decayed.scores, whole}, state)
             : join_in_place({u, w, q_from_start, keys_to_end, decayed.scores, whole}, state);
}

bool has_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                const at::Tensor& beta) {
  return q.scalar_type() == at::kFloat && cpu::applies({q, k, v, g, beta}) &&
         cpu::has_whole_rows({q, k, v}) && (g.dim() == 3 || cpu::has_whole_rows({g}));
}

/// Uses the CPU kernel, one head at a time. Updates `state` in place.
DeltaRuleResult by_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& g, const at::Tensor& beta, const at::Tensor& state) {
  const std::int64_t heads = v.size(1), tokens = q.size(2), dim = v.size(3);
  const std::int64_t share = heads / q.size(1);
  const bool by_channel = g.dim() == 4;
  const std::int64_t floats = by_channel ? cpu::channel_delta_rule_scratch(q.size(3), dim)
                                         : cpu::delta_rule_scratch(q.size(3), dim);
  const auto run = by_channel ? cpu::kernels().channel_delta_rule : cpu::kernels().delta_rule;
  const at::Tensor output = cpu::empty_heads(q.size(0), heads, tokens, dim, v.options());
  at::parallel_for(0, q.size(0) * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::DataPtr scratch = cpu::allocate_scratch(floats);
    for (std::int64_t i = begin; i < end; ++i) {
      const auto of = [&](const at::Tensor& x, std::int64_t group = 1) {
        return cpu::head_of<float>(x, i / heads, i % heads / group);
      };
      run({of(q, share), of(k, share), of(v), of(g), of(beta),
           cpu::mutable_head_of<float>(output, i / heads, i % heads), q.stride(2), k.stride(2),
           v.stride(2), g.stride(2), beta.stride(2), output.stride(2), tokens, q.size(3), dim,
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
  const Fp32Products fp32_products;
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
    // decay_channels needs a power of two; zeros after the last token do not change the result.
    const std::int64_t room =
        log_decay.dim() == 4
            ? static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)))
            : length;
    const auto cut = [&](const at::Tensor& x) {
      const at::Tensor own = in_chunks(x, begin, chunks, length);
      if (room == length) return own;
      const std::int64_t more = room - length;
      return at::constant_pad_nd(own, own.dim() == 4 ? std::vector<std::int64_t>{0, more}
                                                     : std::vector<std::int64_t>{0, 0, 0, more});
    };
    DeltaRuleResult part =
        run_chunks(cut(q), cut(k), cut(value), cut(log_decay), cut(beta), current);
    outputs.push_back(part.output.narrow(2, 0, chunks * length));
    current = part.state;
  };
  const std::int64_t chunks = tokens / kChunk, rest = tokens % kChunk;
  if (chunks > 0) run(0, chunks, kChunk);
  if (rest > 0) run(chunks * kChunk, 1, rest);
  return {outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2), current};
}

}  // namespace niah::models
