#include "models/ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/SDPBackend.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "models/ops/cpu/applies.h"

namespace niah::models {
namespace {

/// [B, H, R, D] → [B, H_kv, G*R, D]: the G query heads that share a key head become rows, so that
/// keys need not be repeated.
at::Tensor fold_groups(const at::Tensor& query, std::int64_t kv_heads) {
  return query.reshape({query.size(0), kv_heads, -1, query.size(3)});
}

/// Attention to a part of the keys.
struct Part {
  at::Tensor output;  // [B, H, R, D]
  at::Tensor lse;     // [B, H, R], log of the sum of exponentials
};

/// Uses kernels of libtorch that also return the log-sum-exp.
Part fused(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool causal,
           double scale) {
  if (query.is_cpu()) {
    auto [output, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        query, key, value, /*dropout_p=*/0.0, causal, /*attn_mask=*/{}, scale);
    return {output, lse};
  }
  // The GPU kernels load 16 bytes at a time.
  const std::int64_t dim = query.size(3), whole = query.scalar_type() == at::kFloat ? 4 : 8;
  if (dim % whole != 0) {
    const auto padded = [&](const at::Tensor& x) {
      return at::constant_pad_nd(x, {0, whole - dim % whole});
    };
    const Part part = fused(padded(query), padded(key), padded(value), causal, scale);
    return {part.output.narrow(-1, 0, dim), part.lse};
  }
  // For everything that flash attention (below) does not support: fp32, larger heads, older
  // devices.
  const auto result = at::_scaled_dot_product_efficient_attention(
      query, key, value, /*attn_bias=*/{}, /*compute_log_sumexp=*/true, /*dropout_p=*/0.0, causal,
      scale);
  // The rows of its log-sum-exp are padded.
  return {std::get<0>(result), std::get<1>(result).narrow(-1, 0, query.size(2))};
}

/// Whether a GPU's flash attention applies. It directly supports grouped heads, rows at the end of
/// the keys, and windows.
bool has_flash(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  if (!query.is_cuda() || query.scalar_type() == at::kFloat || query.size(3) % 8 != 0) return false;
  const auto choice = static_cast<at::SDPBackend>(at::_fused_sdp_choice(
      query.narrow(2, 0, 1), key, value, /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/false,
      /*scale=*/{}, /*enable_gqa=*/true));
  return choice == at::SDPBackend::flash_attention || choice == at::SDPBackend::cudnn_attention;
}

/// Flash attention on a GPU; with window 0, a row sees all keys up to its own.
at::Tensor flash(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                 std::int64_t window, double scale) {
  const at::Tensor q = query.transpose(1, 2), k = key.transpose(1, 2), v = value.transpose(1, 2);
  const std::int64_t left = window > 0 ? window - 1 : -1,
                     right = window > 0 ? 0 : -1;  // -1: no limit
  const auto result = at::_flash_attention_forward(
      q, k, v, /*cum_seq_q=*/{}, /*cum_seq_k=*/{}, q.size(1), k.size(1), /*dropout_p=*/0.0,
      /*is_causal=*/true, /*return_debug_mask=*/false, scale, left, right);
  return std::get<0>(result).transpose(1, 2);
}

/// The heads of `query` that share key head `head`, at all positions, and what they attend to; with
/// neither a place for the results nor scratch memory.
template <typename T>
cpu::AttentionGroup<T> group_of(const at::Tensor& query, const at::Tensor& key,
                                const at::Tensor& value, std::int64_t batch, std::int64_t head,
                                double scale) {
  const std::int64_t groups = query.size(1) / key.size(1);
  return {.query = cpu::head_of<T>(query, batch, head * groups),
          .key = cpu::head_of<T>(key, batch, head),
          .value = cpu::head_of<T>(value, batch, head),
          .query_head = query.stride(1),
          .query_row = query.stride(2),
          .key_row = key.stride(2),
          .value_row = value.stride(2),
          .groups = groups,
          .rows = query.size(2),
          .keys = key.size(2),
          .dim = query.size(3),
          .end = query.size(2),
          .scale = static_cast<float>(scale)};
}

/// Uses the CPU kernel: [B, H, R, D]. With window 0, a row sees all keys up to its own.
at::Tensor by_kernel(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     std::int64_t window, double scale) {
  const std::int64_t rows = query.size(2), dim = query.size(3), kv_heads = key.size(1);
  const std::int64_t groups = query.size(1) / kv_heads;
  const at::Tensor output =
      cpu::empty_heads(query.size(0), query.size(1), rows, dim, query.options());
  constexpr std::int64_t kStretch = 128;  // positions for which keys and values are read once
  const std::int64_t stretches = (rows + kStretch - 1) / kStretch;
  const std::int64_t floats = cpu::attention_scratch(dim, groups, std::min(rows, kStretch));
  cpu::with_kernels(query, [&]<typename T>(const cpu::TypedKernels<T>& kernels) {
    const auto attend = [&](std::int64_t from, std::int64_t to) {
      const c10::DataPtr scratch = cpu::allocate_scratch(floats);
      for (std::int64_t i = from; i < to; ++i) {
        const std::int64_t batch = i / (kv_heads * stretches), head = i / stretches % kv_heads;
        cpu::AttentionGroup<T> group = group_of<T>(query, key, value, batch, head, scale);
        group.output = cpu::mutable_head_of<T>(output, batch, head * groups);
        group.output_head = output.stride(1);
        group.output_row = output.stride(2);
        // The last positions see the most keys: starting with them balances the threads.
        group.begin = (stretches - 1 - i % stretches) * kStretch;
        group.end = std::min(rows, group.begin + kStretch);
        group.window = window;
        group.scratch = static_cast<float*>(scratch.get());
        kernels.attention(group);
      }
    };
    at::parallel_for(0, query.size(0) * kv_heads * stretches, 1, attend);
  });
  return output;
}

/// One position's attention from attentions to parts of the keys, by the sums of exponentials:
/// partial [B, H_kv, parts, G, D + 1], as the kernel leaves them → [B, H_kv, G, D].
at::Tensor joined_parts(const at::Tensor& partial) {
  const std::int64_t dim = partial.size(4) - 1;
  const at::Tensor log_sum = partial.narrow(4, dim, 1);
  const at::Tensor weight = at::exp2(log_sum - std::get<0>(log_sum.max(2, /*keepdim=*/true)));
  return (partial.narrow(4, 0, dim) * weight).sum(2) / weight.sum(2);
}

/// The same for one position, in bf16; threads share the keys of a head.
at::Tensor one_row_by_kernel(const at::Tensor& query, const at::Tensor& key,
                             const at::Tensor& value, double scale) {
  // Not chosen by the number of threads, which must not change results.
  constexpr std::int64_t kPart = 2048;
  const std::int64_t keys = key.size(2), kv_heads = key.size(1), dim = query.size(3);
  const std::int64_t groups = query.size(1) / kv_heads, parts = (keys + kPart - 1) / kPart;
  const at::Tensor partial = at::empty({query.size(0), kv_heads, parts, groups, dim + 1},
                                       query.options().dtype(at::kFloat));
  float* results = partial.mutable_data_ptr<float>();
  at::parallel_for(0, query.size(0) * kv_heads * parts, 1, [&](std::int64_t from, std::int64_t to) {
    const c10::DataPtr scratch = cpu::allocate_scratch(cpu::attention_scratch(dim, groups, 1));
    for (std::int64_t i = from; i < to; ++i) {
      cpu::AttentionGroup<at::BFloat16> group = group_of<at::BFloat16>(
          query, key, value, i / (kv_heads * parts), i / parts % kv_heads, scale);
      const std::int64_t first = i % parts * kPart;
      group.key += first * group.key_row;
      group.value += first * group.value_row;
      group.keys = std::min(kPart, keys - first);
      group.partial = results + i * groups * (dim + 1);
      group.scratch = static_cast<float*>(scratch.get());
      cpu::kernels().bf16.attention(group);
    }
  });
  return joined_parts(partial).to(query.scalar_type()).reshape(query.sizes());
}

/// Whether rows begin at multiples of four bytes.
bool has_even_rows(const at::Tensor& x) {
  return reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 4 == 0 && x.stride(0) % 2 == 0 &&
         x.stride(1) % 2 == 0 && x.stride(2) % 2 == 0;
}

bool has_kernel(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                double scale) {
  if (!cpu::applies({query, key, value}) || scale <= 0 ||
      query.size(1) / key.size(1) > cpu::kAttentionLanes)
    return false;
  if (query.scalar_type() == at::kFloat)
    return query.stride(3) == 1 && key.stride(3) == 1 && value.stride(3) == 1;
  return cpu::has_whole_rows({query, key, value}) && has_even_rows(query) && has_even_rows(key);
}

}  // namespace

at::Tensor attend_cached(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         double scale) {
  const std::int64_t rows = query.size(2), keys = key.size(2), kv_heads = key.size(1);
  // In fp32, libtorch's is faster for one row.
  const bool is_faster = rows > 1 || query.scalar_type() == at::kBFloat16;
  if (is_faster && has_kernel(query, key, value, scale))
    return rows > 1 ? by_kernel(query, key, value, /*window=*/0, scale)
                    : one_row_by_kernel(query, key, value, scale);
  if (has_flash(query, key, value)) return flash(query, key, value, /*window=*/0, scale);
  if (rows == 1)  // sees everything
    return fused(fold_groups(query, kv_heads), key, value, /*causal=*/false, scale)
        .output.reshape(query.sizes());

  // Every row sees the whole past, but the new rows see each other causally: two attentions, merged
  // by their log-sum-exp.
  const std::int64_t groups = query.size(1) / kv_heads, past = keys - rows;
  const auto own = [&](const at::Tensor& x) {
    return x.narrow(2, past, rows).repeat_interleave(groups, 1);
  };
  const Part recent = fused(query, own(key), own(value), /*causal=*/true, scale);
  if (past == 0) return recent.output;
  const Part folded = fused(fold_groups(query, kv_heads), key.narrow(2, 0, past),
                            value.narrow(2, 0, past), /*causal=*/false, scale);
  const at::Tensor past_lse = folded.lse.reshape(recent.lse.sizes());
  const at::Tensor past_output = folded.output.reshape(query.sizes());
  const at::Tensor total = at::logaddexp(past_lse, recent.lse);
  const at::Tensor joined = past_output * at::exp(past_lse - total).unsqueeze(-1) +
                            recent.output * at::exp(recent.lse - total).unsqueeze(-1);
  return joined.to(query.scalar_type());
}

at::Tensor attend_whole(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                        double scale) {
  return at::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                          /*is_causal=*/true, scale,
                                          /*enable_gqa=*/query.size(1) != key.size(1));
}

at::Tensor attend_window(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         std::int64_t window, double scale) {
  if (!at::GradMode::is_enabled() && has_flash(query, key, value))
    return flash(query, key, value, window, scale);
  if (has_kernel(query, key, value, scale)) return by_kernel(query, key, value, window, scale);
  constexpr std::int64_t kBlock = 128;
  const std::int64_t rows = query.size(2), keys = key.size(2), kv_heads = key.size(1);
  const std::int64_t groups = query.size(1) / kv_heads, offset = keys - rows;
  std::vector<at::Tensor> outputs;
  for (std::int64_t begin = 0; begin < rows; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, rows - begin);
    const std::int64_t first = std::max<std::int64_t>(0, offset + begin - window + 1);
    const std::int64_t seen = offset + begin + count - first;
    // Of the keys that the block sees, row r is at index own[r] and sees the last `window` up to
    // it.
    const at::Tensor own =
        at::arange(seen - count, seen, query.options().dtype(at::kLong)).unsqueeze(1);
    const at::Tensor at = at::arange(seen, query.options().dtype(at::kLong)).unsqueeze(0);
    const at::Tensor hidden = at.gt(own).logical_or(at.le(own - window));
    const at::Tensor mask = at::zeros({count, seen}, query.options())
                                .masked_fill(hidden, -std::numeric_limits<float>::infinity());
    const at::Tensor q = fold_groups(query.narrow(2, begin, count), kv_heads);
    const at::Tensor output = at::scaled_dot_product_attention(
        q, key.narrow(2, first, seen), value.narrow(2, first, seen), mask.repeat({groups, 1}),
        /*dropout_p=*/0.0, /*is_causal=*/false, scale);
    outputs.push_back(output.reshape({query.size(0), query.size(1), count, query.size(3)}));
  }
  return outputs.size() == 1 ? outputs[0] : at::cat(outputs, 2);
}

}  // namespace niah::models
