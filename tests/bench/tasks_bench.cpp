// Sentence splitting and sample generation. NIAH_BENCH_TOKENIZER names the tokenizer (default: a
// small recorded one), NIAH_BENCH_TEXT the haystack file (default: a recorded corpus, repeated).
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "harness/base/files.h"
#include "models/tokenizer/prompt_encoder.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/haystack/punkt.h"
#include "tasks/protocol.h"
#include "tasks/unicode.h"
#include "tests/paths.h"

namespace niah::tasks {
namespace {

std::string text_path() {
  const char* file = std::getenv("NIAH_BENCH_TEXT");
  return file ? file : NIAH_TEST_DATA "/protocol/corpus.txt";
}

std::shared_ptr<const models::Tokenizer> tokenizer() {
  const char* path = std::getenv("NIAH_BENCH_TOKENIZER");
  return models::open_tokenizer(path ? path : NIAH_TEST_DATA "/tokenizer/qwen");
}

ProtocolSpec make_spec(const std::string& protocol,
                       std::shared_ptr<const models::Tokenizer> counts) {
  ProtocolSpec spec;
  spec.protocol = protocol;
  spec.haystack = open_haystack({HaystackKind::kText, text_path(), true});
  spec.counts_add = counts->counts_add_at_spaces();
  spec.count = [counts](std::string_view text) { return counts->count_prompt(text); };
  return spec;
}

void sentence_split(benchmark::State& state) {
  const std::string text = collapse_white_space(read_file(text_path(), "reading the text"));
  for (auto _ : state) benchmark::DoNotOptimize(split_sentences(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

/// Sizes a cell of S2 and generates its first sample.
void make_cell(benchmark::State& state, const char* protocol) {
  const ProtocolSpec spec = make_spec(protocol, tokenizer());
  for (auto _ : state) {
    const auto cells = make_cells(spec, {{"s2", state.range(0), 1}});
    benchmark::DoNotOptimize(cells.front()->sample(0));
  }
}

/// Generates a later sample of S2 with its token ids.
void sample_with_ids(benchmark::State& state, const char* protocol) {
  const auto counts = tokenizer();
  const auto cells = make_cells(make_spec(protocol, counts), {{"s2", state.range(0), 100}});
  models::PromptEncoder encoder(*counts);
  encoder.encode_prompt(cells.front()->sample(0).prompt());
  std::int64_t i = 0, tokens = 0;
  for (auto _ : state) {
    const auto ids = encoder.encode_prompt(cells.front()->sample(i++ % 100).prompt());
    tokens += static_cast<std::int64_t>(ids.size());
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetItemsProcessed(tokens);
}

BENCHMARK(sentence_split)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_cell, niah, "niah")->Arg(4096)->Arg(131072)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_cell, lm_eval, "lm-eval")
    ->Arg(4096)
    ->Arg(131072)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make_cell, ruler, "ruler")->Arg(4096)->Arg(131072)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(sample_with_ids, niah, "niah")->Arg(131072)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(sample_with_ids, ruler, "ruler")->Arg(131072)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace niah::tasks

BENCHMARK_MAIN();
