// Tokenizer throughput in bytes per second. NIAH_BENCH_TOKENIZER names the tokenizer (default: the
// small recorded ones), NIAH_BENCH_TEXT the text file (default: this repository's LICENSE).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "harness/base/files.h"
#include "models/tokenizer/tokenizer.h"
#include "tests/paths.h"

namespace niah::models {
namespace {

std::string text() {
  const char* file = std::getenv("NIAH_BENCH_TEXT");
  return read_file(file ? file : NIAH_SOURCE_DIR "/LICENSE", "reading the benchmark's text");
}

std::shared_ptr<const Tokenizer> open(const char* recorded) {
  const char* path = std::getenv("NIAH_BENCH_TOKENIZER");
  if (path != nullptr) return open_tokenizer(path);
  return open_tokenizer(std::filesystem::path(NIAH_TEST_DATA) / "tokenizer" / recorded);
}

/// Encodes text that is new to the tokenizer, so that nothing is cached.
void first_encode(benchmark::State& state, const char* recorded) {
  const std::string input = text();
  for (auto _ : state) {
    state.PauseTiming();
    const auto tokenizer = open(recorded);
    state.ResumeTiming();
    benchmark::DoNotOptimize(tokenizer->encode(input));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(input.size()) * state.iterations());
}

void encode(benchmark::State& state, const char* recorded) {
  const std::string input = text();
  const auto tokenizer = open(recorded);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(input));
  state.SetBytesProcessed(static_cast<std::int64_t>(input.size()) * state.iterations());
}

void count(benchmark::State& state, const char* recorded) {
  const std::string input = text();
  const auto tokenizer = open(recorded);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->count(input));
  state.SetBytesProcessed(static_cast<std::int64_t>(input.size()) * state.iterations());
}

void load(benchmark::State& state, const char* recorded) {
  for (auto _ : state) benchmark::DoNotOptimize(open(recorded));
}

BENCHMARK_CAPTURE(first_encode, bpe, "qwen")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, bpe, "qwen")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(count, bpe, "qwen")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, bpe, "qwen")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(first_encode, sentencepiece, "sp_unigram")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, sentencepiece, "sp_unigram")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(count, sentencepiece, "sp_unigram")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace niah::models

BENCHMARK_MAIN();
