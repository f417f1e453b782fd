// The ops that models are made of; whole models: prefill_bench.cpp.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include <vector>

#include "models/ops/attention.h"
#include "models/ops/lightning.h"
#include "models/ops/norm.h"
#include "models/ops/projection.h"

namespace niah::models {
namespace {

/// Decode's attention: range(0) rows over a cache of range(1) tokens, 16 heads in 2 groups of 128,
/// in bf16 where range(2). Bytes are those of keys and values.
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

/// Prefill's attention: a chunk of range(0) tokens at the end of range(1), 8 heads in 2 groups of
/// range(2), in bf16 where range(3). FLOPs are those of the keys that each row sees.
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

/// Decode's products: range(0) rows with weights of range(1) by range(1) that no cache holds, in
/// bf16 where range(2). Bytes are those of the weights. By libtorch's own product for comparison.
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

void lightning(benchmark::State& bench) {
  const at::NoGradGuard no_grad;
  const auto draw = [&] { return torch::randn({1, 4, bench.range(0), 64}); };
  const at::Tensor q = draw(), k = draw(), v = draw(), slopes = lightning_slopes(4);
  for (auto _ : bench) benchmark::DoNotOptimize(lightning_attention(q, k, v, slopes, 0.1, {}));
  bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(lightning)->Arg(512)->Arg(4096)->UseRealTime();

void norm(benchmark::State& bench) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = torch::randn({bench.range(0), 128}), weight = at::ones({128});
  for (auto _ : bench) benchmark::DoNotOptimize(rms_norm(x, weight, 1e-6));
  bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(norm)->Arg(512)->Arg(4096)->UseRealTime();

}  // namespace
}  // namespace niah::models

BENCHMARK_MAIN();
