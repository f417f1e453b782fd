// Speed of models of released sizes on a GPU, with random weights in bf16: prefill compared with
// the measured rate of matrix products, decode with the measured memory rate, and peak memory with
// the estimate by which a run is admitted. With NIAH_GPU_REDUCED=1 models are small and texts
// short, so that the same code runs on any machine.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "harness/cost/estimate.h"
#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "tests/bench/shapes.h"

namespace niah::bench {
namespace {

using models::CausalLM;
using models::PrefixReader;
using models::synchronize;

constexpr at::ScalarType kType = at::kBFloat16;
constexpr double kMiB = 1 << 20;

/// The model that a benchmark's first argument selects; its name becomes the benchmark's label. The
/// previous model is freed first.
std::shared_ptr<CausalLM> model_for(benchmark::State& bench) {
  const auto shape = static_cast<Shape>(bench.range(0));
  bench.SetLabel(name_of(shape));
  static Shape held = kZoo;
  static std::shared_ptr<CausalLM> model;
  if (!model || held != shape) {
    model.reset();
    model = model_of(shape, kType);
    held = shape;
  }
  return model;
}

double weight_bytes(const CausalLM& model) {
  double total = 0;
  for (const at::Tensor& tensor : model.parameters()) total += static_cast<double>(tensor.nbytes());
  return total;
}

/// The program's estimate of the memory in bytes that reading `tokens` tokens takes.
double price(const CausalLM& model, std::int64_t tokens, std::int64_t chunk) {
  const GroupShape shape = group_shape(model, "benchmark", 1, model.num_layers() - 1, kType);
  MemoryPrice price = price_cell_memory(shape, {.tokens = tokens, .chunk = chunk});
  price.weights = weight_bytes(model);
  return price.total();
}

/// Arguments: shape, tokens, chunk.
void prefill(benchmark::State& bench) {
  const auto model = model_for(bench);
  const std::int64_t tokens = bench.range(1), chunk = std::min(bench.range(2), tokens);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(chunk));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int64_t>(3 + i * 7919 % 1000);
  const double rate = product_rate(kType);
  PrefixReader({model}, chunk).read(ids);  // warm-up, so that one-time work is not measured
  synchronize(device());
  reset_peak_memory();
  for (auto _ : bench) {
    PrefixReader reader({model}, tokens);
    for (std::int64_t at = 0; at < tokens; at += chunk) reader.read(ids);
    reader.wait();
  }
  bench.SetItemsProcessed(bench.iterations() * tokens);
  const double flops = product_flops(*model, kType, tokens);
  bench.counters["GEMM_TFLOPs"] = rate / 1e12;
  bench.counters["TFLOPs"] =
      benchmark::Counter(flops / 1e12, benchmark::Counter::kIsIterationInvariantRate);
  bench.counters["share_of_GEMM"] =
      benchmark::Counter(flops / rate, benchmark::Counter::kIsIterationInvariantRate);
  bench.counters["peak_MiB"] = static_cast<double>(peak_memory()) / kMiB;
  bench.counters["price_MiB"] = price(*model, tokens, chunk) / kMiB;
}

/// Decodes one token of each of several sequences after a context. Arguments: shape, context,
/// sequences.
void decode(benchmark::State& bench) {
  const auto model = model_for(bench);
  const std::int64_t context = bench.range(1), sequences = bench.range(2);
  const double rate = copy_rate();
  reset_peak_memory();
  DecodeBatch batch = [&] {  // the reader is freed before the measurement
    PrefixReader reader({model}, context);
    read_context(reader, context);
    return DecodeBatch(model, reader, context, sequences);
  }();
  for (auto _ : bench) benchmark::DoNotOptimize(batch.pass());
  bench.SetItemsProcessed(bench.iterations() * sequences);
  const double bytes = weight_bytes(*model) + static_cast<double>(batch.bytes());
  bench.counters["copy_GBs"] = rate / 1e9;
  bench.counters["GBs"] =
      benchmark::Counter(bytes / 1e9, benchmark::Counter::kIsIterationInvariantRate);
  bench.counters["share_of_copy"] =
      benchmark::Counter(bytes / rate, benchmark::Counter::kIsIterationInvariantRate);
  bench.counters["peak_MiB"] = static_cast<double>(peak_memory()) / kMiB;
}

void on_shapes(benchmark::internal::Benchmark* bench, const std::vector<std::int64_t>& lengths,
               const std::vector<std::int64_t>& third) {
  bench->ArgsProduct({{kHypeNet2B}, lengths, third})
      ->ArgsProduct({{kQwen35_4B}, lengths, third})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace

/// Turns an exception into the failure of this one benchmark.
template <typename Benchmark>
auto guarded(Benchmark run) {
  return [run](benchmark::State& bench) {
    try {
      run(bench);
    } catch (const c10::Error& error) {
      bench.SkipWithError(error.what_without_backtrace());
    } catch (const std::exception& error) {
      bench.SkipWithError(error.what());
    }
  };
}

/// Registers the benchmarks, which depend on the environment.
void register_all() {
  auto* reading = benchmark::RegisterBenchmark("prefill", guarded(prefill))
                      ->ArgNames({"shape", "tokens", "chunk"});
  auto* writing = benchmark::RegisterBenchmark("decode", guarded(decode))
                      ->ArgNames({"shape", "context", "sequences"});
  if (is_reduced()) {
    for (const Shape shape : {kHybrid512, kQwen35}) {
      reading->Args({shape, 256, 128});
      writing->Args({shape, 600, 2});
    }
    reading->Unit(benchmark::kMillisecond)->UseRealTime();
    writing->Unit(benchmark::kMillisecond)->UseRealTime();
    return;
  }
  on_shapes(reading, {16384, 65536, 262144}, {4096});
  on_shapes(reading, {65536}, {8192});
  on_shapes(writing, {65536}, {1, 8});
}

}  // namespace niah::bench

int main(int argc, char** argv) {
  niah::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const at::NoGradGuard no_grad;
  benchmark::RunSpecifiedBenchmarks();
}
