// Prefill and decode of whole models by architecture and length. Prefill reports its share of the
// machine's matrix product rate, counting only products with weights and of softmax attention.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "tests/bench/shapes.h"

namespace niah::bench {
namespace {

using models::Logits;
using models::PrefixReader;
using models::State;
using models::synchronize;

/// Arguments: shape, tokens, chunk, bf16.
void prefill(benchmark::State& bench) {
  const at::ScalarType dtype = bench.range(3) != 0 ? at::kBFloat16 : at::kFloat;
  const auto model = model_of(static_cast<Shape>(bench.range(0)), dtype);
  const std::int64_t tokens = bench.range(1), chunk = bench.range(2);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(chunk));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int64_t>(3 + i * 7919 % 1000);
  const double rate = product_rate(dtype);
  std::int64_t bytes = 0;
  for (auto _ : bench) {
    PrefixReader reader({model}, tokens);
    for (std::int64_t at = 0; at < tokens; at += chunk) reader.read(ids);
    reader.wait();
    bytes = reader.bytes();
  }
  bench.SetItemsProcessed(bench.iterations() * tokens);
  const double flops = product_flops(*model, dtype, tokens);
  bench.counters["state_MiB"] = static_cast<double>(bytes) / (1 << 20);
  bench.counters["GEMM_GFLOPs"] = rate / 1e9;
  bench.counters["GFLOPs"] =
      benchmark::Counter(flops / 1e9, benchmark::Counter::kIsIterationInvariantRate);
  bench.counters["share"] =
      benchmark::Counter(flops / rate, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(prefill)
    ->ArgNames({"shape", "tokens", "chunk", "bf16"})
    ->ArgsProduct({{kHybrid1024, kJet1024, kHybrid512, kQwen512}, {16384}, {512, 1024}, {0, 1}})
    ->ArgsProduct(
        {{kQwen35, kQwenNext, kNemotron, kFalcon, kLfm2, kKimi}, {16384}, {512, 1024}, {0, 1}})
    ->ArgsProduct({{kZoo}, {16384}, {256, 512, 1024, 2048, 4096}, {0, 1}})
    ->ArgsProduct({{kZoo}, {131072, 262144}, {512}, {0}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// The saving when the last layer only has to update its state: 16,384 tokens with logits of every
/// position, or with none. Arguments: shape, logits.
void last_layer(benchmark::State& bench) {
  const auto model = model_of(static_cast<Shape>(bench.range(0)), at::kFloat);
  const Logits logits = bench.range(1) != 0 ? Logits::kAll : Logits::kNone;
  const at::Tensor ids = at::arange(3, 515).unsqueeze(0);
  for (auto _ : bench) {
    State state(model->num_layers());
    state.reserve(16384);
    for (int chunk = 0; chunk < 32; ++chunk)
      benchmark::DoNotOptimize(model->forward(ids, state, logits));
    synchronize(device());
  }
  bench.SetItemsProcessed(bench.iterations() * 16384);
}
BENCHMARK(last_layer)
    ->ArgNames({"shape", "logits"})
    ->ArgsProduct({{kZoo, kHybrid512, kQwen512}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// One decoded token after a context. Arguments: shape, tokens of context, bf16.
void decode(benchmark::State& bench) {
  const at::ScalarType dtype = bench.range(2) != 0 ? at::kBFloat16 : at::kFloat;
  const auto model = model_of(static_cast<Shape>(bench.range(0)), dtype);
  PrefixReader reader({model}, bench.range(1) + 600);
  read_context(reader, bench.range(1));
  const auto point = reader.mark();
  for (auto _ : bench) {
    benchmark::DoNotOptimize(reader.read_one(0, {5}, 1));
    reader.wait();
    reader.rewind(point);
  }
  bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(decode)
    ->ArgNames({"shape", "context", "bf16"})
    ->ArgsProduct({{kZoo, kHybrid1024, kJet1024, kQwen512}, {4096, 65536}, {0, 1}})
    ->Args({kZoo, 262144, 0})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace niah::bench

BENCHMARK_MAIN();
