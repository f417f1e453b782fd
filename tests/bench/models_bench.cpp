// Benchmarks of the ops that models consist of; prefill_bench.cpp has whole models.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/types.h>

#include <vector>

#include "models/ops/attention.h"
#include "models/ops/delta_rule.h"
#include "models/ops/gate.h"
#include "models/ops/lightning.h"
#include "models/ops/norm.h"
#include "models/ops/projection.h"
#include "models/ops/rotary.h"

namespace niah::models {
namespace {

/// Attention in decode: range(0) rows over a cache of range(1) tokens, 16 heads of size 128 sharing
/// 2 KV heads; bf16 if range(2). Reports the bytes of keys and values.
void attention(benchmark::State& bench) {
  const at::NoGradGuard no_grad;
  const at::ScalarType dtype = bench.range(2) != 0 ? at::kBFloat16 : at::kFloat;
  const auto draw = [&](std::int64_t heads, std::int64_t tokens) {
    return torch::randn({1, heads, tokens, 128}).to(dtype);
  };
  const at::Tensor q = draw(16, bench.range(0));
  const at::Tensor k = draw(2, bench.range(1)), v = draw(2, bench.range(1));
  for (auto _ : bench) benchmark::DoNotOptimize(attend_cached(q, k, v, 0.1));
  bench.SetBytesProcessed(bench.iterations() * static_cast<std::int64_t>(k.nbytes() + v.nbytes()));
}
BENCHMARK(attention)
    ->ArgsProduct({{1, 4, 8, 16, 32}, {4096, 65536}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Attention in prefill: a chunk of range(0) tokens at the end of range(1) tokens, 8 heads of size
/// range(2) sharing 2 KV heads; bf16 if range(3). Counts the FLOPs of the keys that each row sees.
void chunk_attention(benchmark::State& bench) {
  const at::NoGradGuard no_grad;
  const at::ScalarType dtype = bench.range(3) != 0 ? at::kBFloat16 : at::kFloat;
  const std::int64_t rows = bench.range(0), keys = bench.range(1), dim = bench.range(2);
  const auto draw = [&](std::int64_t heads, std::int64_t tokens) {
    return torch::randn({1, heads, tokens, dim}).to(dtype);
  };
  const at::Tensor q = draw(8, rows), k = draw(2, keys), v = draw(2, keys);
  for (auto _ : bench) benchmark::DoNotOptimize(attend_cached(q, k, v, 0.1));
  const double seen = static_cast<double>(keys) - static_cast<double>(rows) / 2;
  bench.counters["FLOPs"] = benchmark::Counter(4 * 8 * static_cast<double>(rows * dim) * seen,
                                               benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(chunk_attention)
    ->ArgsProduct({{512, 1024}, {512, 16384}, {64, 128}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Matrix products in decode: range(0) rows times weights of range(1) by range(1), too many to fit
/// in a processor cache; bf16 if range(2). Reports the bytes of the weights. Also run with
/// libtorch's own product for comparison.
void few_rows(benchmark::State& bench,
              at::Tensor (*product)(const at::Tensor&, const at::Tensor&)) {
  const at::NoGradGuard no_grad;
  const at::ScalarType dtype = bench.range(2) != 0 ? at::kBFloat16 : at::kFloat;
  const std::int64_t size = bench.range(1);
  const at::Tensor x = torch::randn({1, bench.range(0), size}).to(dtype);
  std::vector<at::Tensor> weights;
  for (std::int64_t bytes = 0; bytes < std::int64_t{256} << 20;) {
    weights.push_back(torch::randn({size, size}).to(dtype));
    bytes += static_cast<std::int64_t>(weights.back().nbytes());
  }
  std::size_t at = 0;
  for (auto _ : bench) benchmark::DoNotOptimize(product(x, weights[at++ % weights.size()]));
  bench.SetBytesProcessed(bench.iterations() * static_cast<std::int64_t>(weights.front().nbytes()));
}
const auto kFewRowsArguments = [](auto* bench) {
  bench->ArgsProduct({{1, 2, 4, 8, 16}, {512, 2048}, {0, 1}})->UseRealTime();
};
BENCHMARK_CAPTURE(few_rows, ours, [](const at::Tensor& x, const at::Tensor& w) {
  return project(x, w);
})->Apply(kFewRowsArguments);
BENCHMARK_CAPTURE(few_rows, libtorch, [](const at::Tensor& x, const at::Tensor& w) {
  return at::linear(x, w);
})->Apply(kFewRowsArguments);

/// Heads [1, H, T, D] in the memory layouts of a projection's output and of a cache.
at::Tensor projected(std::int64_t heads, std::int64_t tokens, std::int64_t dim) {
  return torch::randn({1, tokens, heads, dim}).transpose(1, 2);
}
at::Tensor cached(std::int64_t heads, std::int64_t tokens, std::int64_t dim) {
  return torch::randn({1, heads, tokens, dim});
}

/// An op on a chunk of 512 tokens of a model with d = 512: with our kernel if range(0), else with
/// the tensor operations that are used when a gradient is needed; bf16 if range(1).
using Tensors = std::vector<at::Tensor>;
void kernel(benchmark::State& bench, Tensors (*draw)(), void (*run)(const Tensors&)) {
  const bool operations = bench.range(0) == 0;
  const at::ScalarType dtype = bench.range(1) != 0 ? at::kBFloat16 : at::kFloat;
  Tensors inputs = draw();
  for (at::Tensor& x : inputs) x = x.to(dtype).set_requires_grad(operations);
  const at::AutoGradMode gradients(operations);
  for (auto _ : bench) run(inputs);
}
const auto kBothTypes = [](auto* bench) {
  bench->ArgNames({"kernel", "bf16"})->ArgsProduct({{0, 1}, {0, 1}});
  bench->Unit(benchmark::kMicrosecond)->UseRealTime();
};
const auto kSingle = [](auto* bench) {
  bench->ArgNames({"kernel", "bf16"})->ArgsProduct({{0, 1}, {0}});
  bench->Unit(benchmark::kMicrosecond)->UseRealTime();
};
BENCHMARK_CAPTURE(
    kernel, softmax_attention_16K,
    [] {
      return Tensors{projected(8, 512, 64), cached(2, 16384, 64), cached(2, 16384, 64)};
    },
    [](const Tensors& x) { benchmark::DoNotOptimize(attend_cached(x[0], x[1], x[2], 0.1)); })
    ->Apply(kBothTypes);
BENCHMARK_CAPTURE(
    kernel, lightning,
    [] {
      return Tensors{projected(8, 512, 64), projected(8, 512, 64), projected(8, 512, 64)};
    },
    [](const Tensors& x) {
      benchmark::DoNotOptimize(lightning_attention(x[0], x[1], x[2], lightning_slopes(8), 0.1, {}));
    })
    ->Apply(kBothTypes);
/// For four heads: queries, keys, values, decays (one per token, or one per channel), betas.
Tensors delta_inputs(std::int64_t key_dim, std::int64_t value_dim, bool by_channel) {
  const auto unit = [&] {
    const at::Tensor x = projected(4, 512, key_dim);
    return x / x.norm(2, -1, /*keepdim=*/true);
  };
  const at::Tensor decays =
      by_channel ? torch::rand({1, 4, 512, key_dim}) : torch::rand({1, 4, 512});
  return {unit(), unit(), projected(4, 512, value_dim), -decays, torch::rand({1, 4, 512})};
}
void run_delta_rule(const Tensors& x) {
  benchmark::DoNotOptimize(gated_delta_rule(x[0], x[1], x[2], x[3], x[4], {}));
}
BENCHMARK_CAPTURE(
    kernel, delta_rule, [] { return delta_inputs(96, 192, /*by_channel=*/false); }, run_delta_rule)
    ->Apply(kSingle);
BENCHMARK_CAPTURE(
    kernel, delta_rule_with_a_decay_a_channel,
    [] { return delta_inputs(128, 128, /*by_channel=*/true); }, run_delta_rule)
    ->Apply(kSingle);
BENCHMARK_CAPTURE(
    kernel, rms_norm,
    [] {
      return Tensors{torch::randn({1, 512, 512}), at::ones({512})};
    },
    [](const Tensors& x) { benchmark::DoNotOptimize(rms_norm(x[0], x[1], 1e-6)); })
    ->Apply(kBothTypes);
BENCHMARK_CAPTURE(
    kernel, rotary, [] { return Tensors{projected(8, 512, 64)}; },
    [](const Tensors& x) {
      static const auto tables = rotary_tables(rotary_frequencies(1e6, 64), 0, 512);
      benchmark::DoNotOptimize(apply_rotary(x[0], tables.first, tables.second));
    })
    ->Apply(kBothTypes);
BENCHMARK_CAPTURE(
    kernel, swiglu,
    [] {
      return Tensors{torch::randn({512, 1536}), torch::randn({512, 1536})};
    },
    [](const Tensors& x) { benchmark::DoNotOptimize(silu_product(x[0], x[1])); })
    ->Apply(kBothTypes);

}  // namespace
}  // namespace niah::models

BENCHMARK_MAIN();
