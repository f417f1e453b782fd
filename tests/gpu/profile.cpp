// Prints as JSON where a pass spends its time: kernel times of one prefill chunk and of one decode
// pass, summed by name. On the CPU, operators take the place of kernels.
//
//     gpu_profile HypeNet-2B [--tokens 4096] [--context 16384] [--sequences 8] [--rows 40]
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "tests/bench/shapes.h"

namespace niah::bench {
namespace {

using nlohmann::ordered_json;
namespace profiler = torch::autograd::profiler;

struct Spent {
  std::int64_t launches = 0;
  double milliseconds = 0;
};

/// Runs `work` to warm up, then times it without the profiler, then profiles it.
template <typename Work>
ordered_json profile(const Work& work, std::size_t rows) {
  work();
  models::synchronize(device());
  const auto begin = std::chrono::steady_clock::now();
  work();
  models::synchronize(device());
  const std::chrono::duration<double, std::milli> unwatched =
      std::chrono::steady_clock::now() - begin;

  using torch::profiler::impl::ActivityType;
  std::set<ActivityType> activities = {ActivityType::CPU};
  if (!device().is_cpu()) activities.insert(ActivityType::CUDA);
  const torch::profiler::impl::ProfilerConfig config(
      torch::profiler::impl::ProfilerState::KINETO, /*report_input_shapes=*/false,
      /*profile_memory=*/false, /*with_stack=*/false, /*with_flops=*/false,
      /*with_modules=*/false, torch::profiler::impl::ExperimentalConfig());
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities, {at::RecordScope::FUNCTION});
  work();
  models::synchronize(device());
  const auto result = profiler::disableProfiler();

  std::map<std::string, Spent> by_name;
  Spent all;
  for (const auto& event : result->events()) {
    if (event.deviceType() != device().type()) continue;
    Spent& own = by_name[event.name()];
    const double milliseconds = static_cast<double>(event.durationNs()) / 1e6;
    for (Spent* spent : {&own, &all}) {
      ++spent->launches;
      spent->milliseconds += milliseconds;
    }
  }
  std::vector<std::pair<std::string, Spent>> sorted(by_name.begin(), by_name.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.milliseconds > b.second.milliseconds;
  });
  ordered_json kernels = ordered_json::array();
  for (std::size_t i = 0; i < std::min(rows, sorted.size()); ++i)
    kernels.push_back({{"name", sorted[i].first.substr(0, 160)},
                       {"ms", sorted[i].second.milliseconds},
                       {"launches", sorted[i].second.launches}});
  return {{"wall_ms", unwatched.count()},
          {"kernels_ms", all.milliseconds},
          {"launches", all.launches},
          {"kernels", std::move(kernels)}};
}

ordered_json profile_model(Shape shape, std::int64_t tokens, std::int64_t context,
                           std::int64_t sequences, std::size_t rows) {
  const auto model = model_of(shape, at::kBFloat16);
  models::PrefixReader reader({model}, context + 2 * tokens + 16);
  read_context(reader, context);
  const auto point = reader.mark();
  const std::vector<std::int64_t> chunk(static_cast<std::size_t>(tokens), 7);
  ordered_json json = {{"model", name_of(shape)},
                       {"layers", model->num_layers()},
                       {"chunk", tokens},
                       {"context", context},
                       {"sequences", sequences}};
  json["prefill"] = profile(
      [&] {
        reader.read(chunk);
        reader.rewind(point);
      },
      rows);
  DecodeBatch batch(model, reader, context, sequences);
  json["decode"] = profile([&] { batch.pass(); }, rows);
  return json;
}

}  // namespace
}  // namespace niah::bench

int main(int argc, char** argv) {
  using namespace niah::bench;
  const std::map<std::string, Shape> shapes = {{name_of(kHypeNet2B), kHypeNet2B},
                                               {name_of(kQwen35_4B), kQwen35_4B},
                                               {name_of(kHybrid512), kHybrid512},
                                               {name_of(kQwen35), kQwen35}};
  CLI::App program("Kernels of one prefill chunk and of one decode pass");
  Shape shape = kHypeNet2B;
  std::int64_t tokens = 4096, context = 16384, sequences = 8;
  std::size_t rows = 40;
  program.add_option("model", shape, "HypeNet-2B, Qwen3.5-4B, hybrid-512, qwen3.5-1024")
      ->required()
      ->transform(CLI::CheckedTransformer(shapes));
  program.add_option("--tokens", tokens, "Of the chunk");
  program.add_option("--context", context, "Tokens read before, at least 512");
  program.add_option("--sequences", sequences, "Decoded together");
  program.add_option("--rows", rows, "Kernels listed");
  CLI11_PARSE(program, argc, argv);
  try {
    const at::NoGradGuard no_grad;
    fmt::print("{}\n", profile_model(shape, tokens, context, sequences, rows).dump());
  } catch (const std::exception& error) {
    fmt::print(stderr, "profiling {}: {}\n", name_of(shape), error.what());
    return 1;
  }
}
