// Prefill of whole models by architecture and length, and what part of the machine's matrix product
// rate it reaches: products with the weights and of softmax attention are counted, nothing else.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/cost/estimate.h"
#include "models/decode/prefix_reader.h"
#include "models/device.h"
#include "models/registry.h"
#include "models/training/trainer.h"
#include "tests/paths.h"

namespace niah::models {
namespace {

using nlohmann::json;

enum Shape {
  kZoo,
  kHybrid512,
  kHybrid1024,
  kJet1024,
  kQwen512,
  kHypeNet2B,
  kQwen35,
  kQwenNext,
  kNemotron,
  kFalcon,
  kLfm2
};

/// NIAH_BENCH_DEVICE, as runtime.device; the CPU where it is not set.
at::Device bench_device() {
  const char* name = std::getenv("NIAH_BENCH_DEVICE");
  return find_device(name != nullptr ? name : "cpu");
}

json common(std::int64_t d, std::int64_t layers, std::int64_t heads, std::int64_t kv_heads) {
  return {{"vocab_size", 1056},           {"hidden_size", d},
          {"intermediate_size", 3 * d},   {"num_hidden_layers", layers},
          {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads},
          {"head_dim", d / heads},        {"tie_word_embeddings", false}};
}

/// HypeNet's way: every fourth layer softmax, the last one included.
json hypenet(std::int64_t d) {
  json config = common(d, 8, d / 64, d / 256);
  config["model_type"] = "hypenet";
  for (int i = 0; i < 8; ++i)
    config["mixer_types"].push_back(i % 4 == 3 ? "attn" : "lightning-attn");
  config.update(json{{"attn_use_rope", false},
                     {"attn_use_output_gate", true},
                     {"attn_logits_scaling", "hype 128"},
                     {"lightning_nh", d / 64},
                     {"lightning_nkv", d / 64},
                     {"lightning_head_dim", 64},
                     {"lightning_use_qk_norm", true},
                     {"lightning_use_output_norm", true},
                     {"lightning_use_output_gate", true}});
  return config;
}

/// The released HypeNet-2B.
json hypenet_2b() {
  json config = hypenet(2048);
  config.update(json{{"vocab_size", 151936},
                     {"num_hidden_layers", 28},
                     {"num_attention_heads", 16},
                     {"num_key_value_heads", 8},
                     {"head_dim", 128},
                     {"attn_logits_scaling", "hype 500"},
                     {"lightning_nh", 16},
                     {"lightning_nkv", 16},
                     {"lightning_head_dim", 128},
                     {"rope_theta", 1000000},
                     {"tie_word_embeddings", true}});
  config["mixer_types"] = json::array();
  const std::set<int> softmax = {2, 3, 6, 8, 9, 21, 25};
  for (int i = 0; i < 28; ++i)
    config["mixer_types"].push_back(softmax.contains(i) ? "attn" : "lightning-attn");
  return config;
}

json jet(std::int64_t d) {
  json config = common(d, 8, d / 64, d / 256);
  config["model_type"] = "jet_nemotron";
  for (int i = 0; i < 8; ++i)
    config["layer_types"].push_back(i == 3 ? "attn" : i == 7 ? "swa" : "jet");
  config["efficient_attention_config"] = {{"swa", {{"window_size", 1152}}},
                                          {"jet",
                                           {{"mode", "chunk"},
                                            {"expand_v", 2.0},
                                            {"num_heads", d / 128},
                                            {"head_dim", 96},
                                            {"norm_eps", 1e-5},
                                            {"conv_size", 4},
                                            {"dconv_generator_reduction", 8},
                                            {"dconv_implementation", "triton"}}}};
  return config;
}

/// Qwen3.5's way: three layers with the gated delta rule, then one of gated softmax attention.
json qwen3_5(std::int64_t d) {
  json config = common(d, 8, d / 128, d / 512);
  config.update(json{{"model_type", "qwen3_5_text"},
                     {"full_attention_interval", 4},
                     {"linear_num_key_heads", d / 128},
                     {"linear_num_value_heads", d / 64},
                     {"linear_key_head_dim", 128},
                     {"linear_value_head_dim", 128},
                     {"linear_conv_kernel_dim", 4}});
  return config;
}

/// The same with 32 experts instead of each MLP, of which a token goes through 4 and a shared one.
json qwen3_next(std::int64_t d) {
  json config = qwen3_5(d);
  config.update(json{{"model_type", "qwen3_next"},
                     {"num_experts", 32},
                     {"num_experts_per_tok", 4},
                     {"moe_intermediate_size", d / 2},
                     {"shared_expert_intermediate_size", d / 2},
                     {"norm_topk_prob", true},
                     {"decoder_sparse_step", 1}});
  return config;
}

/// Nemotron-H's way: one mixer a block, Mamba-2 and MLPs, and softmax attention once.
json nemotron_h(std::int64_t d) {
  json config = common(d, 8, d / 128, d / 512);
  config.update(json{{"model_type", "nemotron_h"},
                     {"hybrid_override_pattern", "M-M-M*-M"},
                     {"mamba_num_heads", d / 32},
                     {"mamba_head_dim", 64},
                     {"n_groups", 8},
                     {"ssm_state_size", 128},
                     {"conv_kernel", 4},
                     {"mlp_hidden_act", "relu2"}});
  return config;
}

/// Falcon-H1's way: Mamba-2 and softmax attention side by side in every layer.
json falcon_h1(std::int64_t d) {
  json config = common(d, 8, d / 128, d / 512);
  config.update(json{{"model_type", "falcon_h1"},
                     {"mamba_d_ssm", d},
                     {"mamba_n_heads", d / 64},
                     {"mamba_d_head", 64},
                     {"mamba_n_groups", 1},
                     {"mamba_d_state", 128},
                     {"mamba_d_conv", 4}});
  return config;
}

/// LFM2's way: short convolutions, every fourth layer softmax attention.
json lfm2(std::int64_t d) {
  json config = common(d, 8, d / 64, d / 256);
  config.erase("head_dim");
  config.update(json{{"model_type", "lfm2"},
                     {"full_attn_idxs", {3, 7}},
                     {"conv_L_cache", 3},
                     {"block_auto_adjust_ff_dim", false}});
  return config;
}

json config_of(Shape shape) {
  switch (shape) {
    case kHybrid512:
      return hypenet(512);
    case kHybrid1024:
      return hypenet(1024);
    case kJet1024:
      return jet(1024);
    case kHypeNet2B:
      return hypenet_2b();
    case kQwen35:
      return qwen3_5(1024);
    case kQwenNext:
      return qwen3_next(1024);
    case kNemotron:
      return nemotron_h(1024);
    case kFalcon:
      return falcon_h1(1024);
    case kLfm2:
      return lfm2(1024);
    default:
      break;
  }
  json config = common(512, 8, 8, 2);
  config["model_type"] = "qwen3";
  return config;
}

std::shared_ptr<CausalLM> model_of(Shape shape, at::ScalarType dtype) {
  const at::Device device = bench_device();
  if (shape == kZoo) return load_model(NIAH_SOURCE_DIR "/models/zoo/base", dtype, nullptr, device);
  const json config = config_of(shape);
  RandomSource source(1, 8);
  const auto drawn = make_model(config, "benchmark", source);
  WeightMap weights;
  for (const auto& [name, tensor] : parameters_of(*drawn)) weights[name] = tensor.to(device, dtype);
  return build_model(config, "benchmark", weights);
}

/// FLOPs of products with weights and of softmax attention in a prefill that wants no logits.
double product_flops(const CausalLM& model, at::ScalarType dtype, std::int64_t tokens) {
  GroupShape shape = group_shape(model, "benchmark", 1, model.num_layers() - 1, dtype);
  for (MixerInfo& mixer : shape.info.mixers) mixer.cost.token_flops = 0;  // linear attention's own
  return read_flops(shape, 0, tokens);
}

/// The best rate of products of the kind that layers are made of, FLOP/s.
double product_rate(at::ScalarType dtype) {
  static std::map<at::ScalarType, double> known;
  if (known.contains(dtype)) return known[dtype];
  const at::NoGradGuard no_grad;
  const at::Device device = bench_device();
  double best = 0;
  for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{512, 1024, 3072},
                                {1024, 1024, 3072},
                                {2048, 2048, 2048},
                                {4096, 4096, 4096}}) {
    const at::Tensor x = torch::randn({m, k}).to(device, dtype);
    const at::Tensor w = torch::randn({n, k}).to(device, dtype);
    for (int go = 0; go < 8; ++go) {
      const auto begin = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(at::linear(x, w));
      synchronize(device);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      if (go > 1) best = std::max(best, 2.0 * static_cast<double>(m * k * n) / took.count());
    }
  }
  return known[dtype] = best;
}

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
    ->ArgsProduct({{kQwen35, kQwenNext, kNemotron, kFalcon, kLfm2}, {16384}, {512, 1024}, {0, 1}})
    ->ArgsProduct({{kZoo}, {16384}, {256, 512, 1024, 2048, 4096}, {0, 1}})
    ->ArgsProduct({{kZoo}, {131072, 262144}, {512}, {0}})
    ->Apply([](auto* bench) {
      if (!bench_device().is_cpu())
        bench->ArgsProduct({{kHypeNet2B}, {65536, 262144}, {4096}, {1}});
    }) -> Unit(benchmark::kMillisecond) -> UseRealTime();

/// What is saved where only the state of the last layer is wanted: 16,384 tokens with logits of
/// every position, or none. Arguments: shape, logits.
void last_layer(benchmark::State& bench) {
  const auto model = model_of(static_cast<Shape>(bench.range(0)), at::kFloat);
  const Logits logits = bench.range(1) != 0 ? Logits::kAll : Logits::kNone;
  const at::Tensor ids = at::arange(3, 515).unsqueeze(0);
  for (auto _ : bench) {
    State state(model->num_layers());
    state.reserve(16384);
    for (int chunk = 0; chunk < 32; ++chunk)
      benchmark::DoNotOptimize(model->forward(ids, state, logits));
    synchronize(bench_device());
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
  reader.read(std::vector<std::int64_t>(512, 5));
  reader.skip(bench.range(1) - 512);
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
    ->Apply([](auto* bench) {
      if (!bench_device().is_cpu()) bench->ArgsProduct({{kHypeNet2B}, {65536, 262144}, {1}});
    }) -> Unit(benchmark::kMillisecond) -> UseRealTime();

}  // namespace
}  // namespace niah::models

BENCHMARK_MAIN();
