#include "tests/bench/shapes.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "harness/cost/estimate.h"
#include "models/decode/greedy.h"
#include "models/device.h"
#include "models/load_model.h"
#include "models/ops/projection.h"
#include "models/registry.h"
#include "tests/paths.h"

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
#define NIAH_TORCH_COUNTS_MEMORY
#include <ATen/DeviceAccelerator.h>
#endif

namespace niah::bench {
namespace {

using models::CausalLM;
using models::find_device;
using models::synchronize;
using nlohmann::json;

json common(std::int64_t d, std::int64_t layers, std::int64_t heads, std::int64_t kv_heads) {
  return {{"vocab_size", 1056},           {"hidden_size", d},
          {"intermediate_size", 3 * d},   {"num_hidden_layers", layers},
          {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads},
          {"head_dim", d / heads},        {"tie_word_embeddings", false}};
}

/// Like HypeNet: every fourth layer is softmax attention, including the last.
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

/// Like Qwen3.5: three layers with the gated delta rule, then one with gated softmax attention.
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

/// The same with 32 experts in place of each MLP; a token uses 4 of them and a shared one.
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

/// The text model of the released Qwen3.5-4B.
json qwen3_5_4b() {
  json config = qwen3_5(2560);
  config.update(json{{"vocab_size", 248320},
                     {"num_hidden_layers", 32},
                     {"intermediate_size", 9216},
                     {"num_attention_heads", 16},
                     {"num_key_value_heads", 4},
                     {"head_dim", 256},
                     {"linear_num_key_heads", 16},
                     {"linear_num_value_heads", 32},
                     {"rope_theta", 10000000},
                     {"partial_rotary_factor", 0.25},
                     {"tie_word_embeddings", true}});
  return config;
}

/// Like Nemotron-H: one mixer per block, which is Mamba-2, an MLP, or (once) softmax attention.
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

/// Like Falcon-H1: Mamba-2 and softmax attention side by side in every layer.
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

/// Like LFM2: short convolutions; every fourth layer is softmax attention.
json lfm2(std::int64_t d) {
  json config = common(d, 8, d / 64, d / 256);
  config.erase("head_dim");
  config.update(json{{"model_type", "lfm2"},
                     {"full_attn_idxs", {3, 7}},
                     {"conv_L_cache", 3},
                     {"block_auto_adjust_ff_dim", false}});
  return config;
}

/// Like Kimi Linear, without experts: three layers of Kimi delta attention, then one of multi-head
/// latent attention.
json kimi_linear(std::int64_t d) {
  json config = common(d, 8, d / 128, d / 128);
  config.update(json{{"model_type", "kimi_linear"},
                     {"linear_attn_config",
                      {{"full_attn_layers", {4, 8}},
                       {"kda_layers", {1, 2, 3, 5, 6, 7}},
                       {"num_heads", d / 128},
                       {"head_dim", 128},
                       {"short_conv_kernel_size", 4}}},
                     {"first_k_dense_replace", 8},
                     {"kv_lora_rank", d / 4},
                     {"qk_nope_head_dim", 128},
                     {"qk_rope_head_dim", 64},
                     {"v_head_dim", 128}});
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
    case kQwen35_4B:
      return qwen3_5_4b();
    case kQwenNext:
      return qwen3_next(1024);
    case kNemotron:
      return nemotron_h(1024);
    case kFalcon:
      return falcon_h1(1024);
    case kLfm2:
      return lfm2(1024);
    case kKimi:
      return kimi_linear(1024);
    default:
      break;
  }
  json config = common(512, 8, 8, 2);
  config["model_type"] = "qwen3";
  return config;
}

/// Draws weights directly on the device, so that billions of numbers do not take minutes.
class DrawnSource : public models::TensorSource {
 public:
  DrawnSource(at::Device device, at::ScalarType dtype)
      : options_(at::TensorOptions().device(device).dtype(dtype)) {}

  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override {
    if (shape.size() < 2)
      return name.ends_with("norm.weight") ? at::ones(shape, options_) : at::zeros(shape, options_);
    const double deviation = 1 / std::sqrt(static_cast<double>(shape.back()));
    return at::empty(shape, options_).normal_(0, deviation);
  }
  bool has(const std::string&) const override { return false; }
  void ignore(const std::string&) override {}

 private:
  at::TensorOptions options_;
};

/// The shortest of several runs of `work`, in seconds.
template <typename Work>
double best_time(int goes, const Work& work) {
  double best = 1e30;
  for (int go = 0; go < goes; ++go) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    synchronize(device());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (go > 1) best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

std::string name_of(Shape shape) {
  constexpr std::array kNames = {"zoo",           "hybrid-512",  "hybrid-1024",  "jet-1024",
                                 "qwen-512",      "HypeNet-2B",  "qwen3.5-1024", "qwen3next-1024",
                                 "nemotron-1024", "falcon-1024", "lfm2-1024",    "kimi-1024",
                                 "Qwen3.5-4B"};
  return kNames[static_cast<std::size_t>(shape)];
}

at::Device device() {
  const char* name = std::getenv("NIAH_BENCH_DEVICE");
  return find_device(name != nullptr ? name : "cpu");
}

bool is_reduced() { return std::getenv("NIAH_GPU_REDUCED") != nullptr; }

std::shared_ptr<CausalLM> model_of(Shape shape, at::ScalarType dtype) {
  if (shape == kZoo)
    return models::load_model(NIAH_SOURCE_DIR "/models/zoo/base", dtype, nullptr, device());
  models::allow_rounded_products(device(), dtype);
  torch::manual_seed(1);
  DrawnSource source(device(), dtype);
  const at::NoGradGuard no_grad;
  return models::make_model(config_of(shape), "benchmark", source);
}

DecodeBatch::DecodeBatch(std::shared_ptr<CausalLM> model, const models::PrefixReader& reader,
                         std::int64_t tokens, std::int64_t sequences)
    : model_(std::move(model)), ids_(at::full({sequences, 1}, 5, at::kLong)) {
  constexpr std::int64_t kRoom = 16;  // for the tokens of one pass
  for (std::int64_t i = 0; i < sequences; ++i) states_.push_back(reader.fork(0, tokens + kRoom));
  for (models::State& state : states_) {
    pointers_.push_back(&state);
    starts_.push_back(state.mark());
  }
}

std::vector<std::int64_t> DecodeBatch::pass() {
  std::vector<std::int64_t> best =
      models::best_tokens(model_->forward_rows(ids_, pointers_, 1).squeeze(1));
  for (std::size_t i = 0; i < states_.size(); ++i) states_[i].rewind(starts_[i]);
  return best;
}

std::int64_t DecodeBatch::bytes() const {
  std::int64_t total = 0;
  for (const models::State& state : states_) total += state.bytes();
  return total;
}

void read_context(models::PrefixReader& reader, std::int64_t tokens) {
  constexpr std::int64_t kRead = 512;
  reader.read(std::vector<std::int64_t>(kRead, 5));
  reader.skip(tokens - kRead);
}

double product_flops(const CausalLM& model, at::ScalarType dtype, std::int64_t tokens) {
  GroupShape shape = group_shape(model, "benchmark", 1, model.num_layers() - 1, dtype);
  for (models::MixerInfo& mixer : shape.info.mixers)
    mixer.cost.token_flops = 0;  // excludes the FLOPs of linear attention itself
  return read_flops(shape, 0, tokens);
}

double product_rate(at::ScalarType dtype) {
  static std::map<at::ScalarType, double> known;
  if (known.contains(dtype)) return known[dtype];
  const at::NoGradGuard no_grad;
  double best = 0;
  std::vector<std::array<std::int64_t, 3>> sizes = {
      {512, 1024, 3072}, {1024, 1024, 3072}, {2048, 2048, 2048}, {4096, 4096, 4096}};
  if (!device().is_cpu()) sizes = {{4096, 4096, 12288}, {8192, 8192, 8192}};
  if (is_reduced()) sizes = {{512, 512, 512}};
  for (const auto& [m, k, n] : sizes) {
    const auto options = at::TensorOptions().device(device()).dtype(dtype);
    const at::Tensor x = torch::randn({m, k}, options), w = torch::randn({n, k}, options);
    // By libtorch's BLAS, and by what our models use.
    const double seconds = std::min(best_time(8, [&] { at::linear(x, w); }),
                                    best_time(8, [&] { models::project(x.unsqueeze(0), w); }));
    best = std::max(best, 2.0 * static_cast<double>(m * k * n) / seconds);
  }
  return known[dtype] = best;
}

double copy_rate() {
  static const double rate = [] {
    const std::int64_t bytes = std::int64_t{1} << (is_reduced() ? 20 : device().is_cpu() ? 28 : 32);
    const at::Tensor from =
        at::ones({bytes}, at::TensorOptions().device(device()).dtype(at::kByte));
    const at::Tensor to = at::empty_like(from);
    return 2 * static_cast<double>(bytes) / best_time(8, [&] { to.copy_(from); });
  }();
  return rate;
}

std::int64_t peak_memory() {
#ifdef NIAH_TORCH_COUNTS_MEMORY
  const auto whole = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  if (!device().is_cpu())
    return at::accelerator::getDeviceStats(device().index()).allocated_bytes[whole].peak;
#endif
  return 0;
}

void reset_peak_memory() {
#ifdef NIAH_TORCH_COUNTS_MEMORY
  if (!device().is_cpu()) at::accelerator::resetPeakStats(device().index());
#endif
}

}  // namespace niah::bench
