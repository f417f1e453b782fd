// A made-up architecture, defined in this file alone: every command that reads models must work
// with it.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/cli/command.h"
#include "harness/config/sweep.h"
#include "harness/cost/cell_memory.h"
#include "harness/cost/flops.h"
#include "harness/engine/local/local_engines.h"
#include "harness/run/runner.h"
#include "models/arch/feed_forward.h"
#include "models/instruments/attention_probe.h"
#include "models/instruments/selftest.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/surgery/drift.h"
#include "models/surgery/restore_checkpoint.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr std::int64_t kVocab = 1056, kHidden = 32, kWide = 48, kHeads = 4, kKvHeads = 2, kDim = 8;

/// Attention without positions; q_proj holds each head's query followed by its output gate.
struct GatedAttention : Mixer {
  GatedAttention(TensorSource& source, const std::string& prefix) : Mixer(prefix) {
    const auto linear = [&](const char* part, std::int64_t in, std::int64_t out) {
      return register_module(part, std::make_shared<Linear>(source, prefix + "." + part, in, out));
    };
    q_proj = linear("q_proj", kHidden, 2 * kHeads * kDim);
    k_proj = linear("k_proj", kHidden, kKvHeads * kDim);
    v_proj = linear("v_proj", kHidden, kKvHeads * kDim);
    o_proj = linear("o_proj", kHeads * kDim, kHidden);
  }

  at::Tensor mix(const at::Tensor& x, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor k = split_heads((*k_proj)(x), kDim), v = split_heads((*v_proj)(x), kDim);
    const auto seen = remember(states, {k, v});
    if (rows == 0) return x.narrow(1, 0, 0);
    const at::Tensor both = split_heads((*q_proj)(last_rows(x, rows)), 2 * kDim);  // [B, H, R, 2D]
    const at::Tensor q = both.narrow(-1, 0, kDim), gate = both.narrow(-1, kDim, kDim);
    const at::Tensor o = attend(q.contiguous(), seen, {.cached = !states.empty()}, pass);
    return (*o_proj)(merge_heads(o * at::sigmoid(gate)));
  }

  MixerInfo describe() const override {
    MixerInfo info = softmax_info(kHeads, kKvHeads, kDim);
    claim_rows(info, Part::kQuery, "q_proj", {"", 0, kDim, 2 * kDim, kHeads});
    claim_rows(info, Part::kGate, "q_proj", {"", kDim, kDim, 2 * kDim, kHeads});
    claim(info, {{Part::kKey, "k_proj"}, {Part::kValue, "v_proj"}, {Part::kOutput, "o_proj"}});
    return info;
  }

  std::shared_ptr<Linear> q_proj, k_proj, v_proj, o_proj;
};

/// Norms after the mixer and after the MLP, none before: h + norm(mixer(h)), then + norm(mlp(h)).
struct PostNormBlock : Block {
  PostNormBlock(const DecoderShape& shape, TensorSource& source, const std::string& prefix)
      : prefix(prefix) {
    attention = register_module("attention",
                                std::make_shared<GatedAttention>(source, prefix + ".attention"));
    mlp = register_module("mlp",
                          std::make_shared<GatedMlp>(source, prefix + ".mlp", shape.d, shape.ff));
    after_attention = register_module(
        "after_attention", std::make_shared<RmsNorm>(source, prefix + ".after_attention", shape.d,
                                                     shape.eps, shape.rounding));
    after_mlp =
        register_module("after_mlp", std::make_shared<RmsNorm>(source, prefix + ".after_mlp",
                                                               shape.d, shape.eps, shape.rounding));
  }

  at::Tensor run(const at::Tensor& h, const LayerStates& states, const Pass& pass,
                 std::int64_t rows) const override {
    const at::Tensor mixed = attention->mix(h, states, pass, rows);
    if (rows == 0) return mixed;
    const at::Tensor y = last_rows(h, rows) + (*after_attention)(mixed);
    return y + (*after_mlp)((*mlp)(y));
  }
  MixerInfo describe_mixer() const override { return attention->describe(); }
  std::vector<PartRows> other_parts() const override {
    std::vector<PartRows> parts = parts_of(Part::kMlp, prefix + ".mlp", *mlp);
    for (const auto& [name, norm] :
         {std::pair{".after_attention", after_attention}, std::pair{".after_mlp", after_mlp}})
      for (PartRows& rows : parts_of(Part::kNorm, prefix + name, *norm)) parts.push_back(rows);
    return parts;
  }

  std::string prefix;
  std::shared_ptr<GatedAttention> attention;
  std::shared_ptr<GatedMlp> mlp;
  std::shared_ptr<RmsNorm> after_attention, after_mlp;
};

class MadeUp : public DecoderLM {
 public:
  MadeUp(const DecoderShape& shape, std::int64_t layers, TensorSource& source)
      : DecoderLM(shape, layers, source, [&](std::int64_t, const std::string& prefix) {
          return std::make_shared<PostNormBlock>(shape, source, prefix);
        }) {
    info_.architecture = "made_up";
  }
  Pass begin(const std::vector<std::int64_t>& positions, std::int64_t tokens) const override {
    return {positions, tokens, {}, {}};
  }
};

std::shared_ptr<CausalLM> make_made_up(const json& config, const std::string& label,
                                       TensorSource& source) {
  ConfigReader reader(config, label);
  const std::int64_t layers = reader.count("num_hidden_layers", 3);
  ignore_bookkeeping(reader);
  reader.finish();
  return std::make_shared<MadeUp>(DecoderShape{.vocab = kVocab, .d = kHidden, .ff = kWide}, layers,
                                  source);
}

class MadeUpArchitecture : public testing::Test {
 protected:
  void SetUp() override {
    register_architecture("made_up", make_made_up);
    write(base_, 1);
    write(sft_, 2);
  }
  /// Writes a checkpoint with random weights and the zoo's tokenizer.
  void write(const fs::path& folder, std::uint64_t seed) const {
    fs::create_directory(folder);
    const json config = {{"model_type", "made_up"}, {"num_hidden_layers", 3}};
    write_file(folder / "config.json", config.dump());
    ShapeSource shapes;
    make_model(config, "made up", shapes);
    torch::manual_seed(seed);
    WeightMap weights;
    for (const auto& [name, shape] : shapes.shapes())
      weights[name] = shape.size() == 1 ? at::ones(shape) : 0.2 * at::randn(shape);
    save_weights(folder / "model.safetensors", weights, {});
    for (const auto& file : fs::directory_iterator(NIAH_SOURCE_DIR "/models/zoo/tokenizer"))
      fs::copy(file.path(), folder);
  }
  static WeightMap read(const fs::path& folder) {
    return load_weights(std::make_shared<Checkpoint>(folder), at::kFloat);
  }

  TemporaryFolder temporary_;
  fs::path base_ = temporary_.path() / "base", sft_ = temporary_.path() / "sft";
};

TEST_F(MadeUpArchitecture, IsDescribedByInfo) {
  CLI::App program;
  Command chosen;
  add_info_command(program, chosen);
  program.parse("info " + base_.string());
  testing::internal::CaptureStdout();
  EXPECT_EQ(chosen(), ExitCode::kOk);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr("made_up"));
  EXPECT_THAT(said, HasSubstr("AAA  (A softmax)"));
  EXPECT_THAT(said, HasSubstr("softmax mixers"));
}

TEST_F(MadeUpArchitecture, PassesItsSelftest) {
  const auto model = load_model(base_, at::kFloat);
  const auto checks = selftest(*model, {.chunk = 48, .long_tokens = 300});
  EXPECT_FALSE(checks.empty());
  for (const SelftestCheck& check : checks) EXPECT_TRUE(check.passed) << describe(check);
}

TEST_F(MadeUpArchitecture, IsPriced) {
  const auto model = load_model(base_, at::kFloat);
  const GroupShape shape = group_shape(*model, "made up", 1, 0, at::kFloat);
  const double cache = 3 * 2.0 * kKvHeads * kDim * 4 * 1000;
  EXPECT_EQ(price_cell_memory(shape, {.tokens = 1000, .workers = 1}).cache, cache);
  const double mixer = kHidden * kDim * (3.0 * kHeads + 2 * kKvHeads);
  EXPECT_EQ(shape.layer_parameters[0], mixer + 3.0 * kHidden * kWide);
  EXPECT_GT(read_flops(shape, 0, 1000), 0);
}

TEST_F(MadeUpArchitecture, IsRestoredWithoutItsGate) {
  const fs::path out = temporary_.path() / "restored";
  for (const RestoreMethod method : {RestoreMethod::kQk, RestoreMethod::kQkProExact}) {
    RestoreCheckpointOptions options;
    options.restore.method = method;
    restore_checkpoint(base_, sft_, out, options);
    const WeightMap before = read(base_), after = read(sft_), restored = read(out);
    for (const auto& [name, tensor] : restored) {
      if (name.ends_with("q_proj.weight")) {
        const auto halves = [&](const at::Tensor& t) { return t.view({kHeads, 2, kDim, kHidden}); };
        EXPECT_TRUE(at::equal(halves(tensor).select(1, 1), halves(after.at(name)).select(1, 1)));
        EXPECT_FALSE(at::equal(halves(tensor).select(1, 0), halves(after.at(name)).select(1, 0)));
        EXPECT_EQ(at::equal(halves(tensor).select(1, 0), halves(before.at(name)).select(1, 0)),
                  method == RestoreMethod::kQk);
      } else if (name.ends_with("k_proj.weight")) {
        EXPECT_EQ(at::equal(tensor, before.at(name)), method == RestoreMethod::kQk);
      } else {
        EXPECT_TRUE(at::equal(tensor, after.at(name))) << name;
      }
    }
    fs::remove_all(out);
  }
}

TEST_F(MadeUpArchitecture, IsDiagnosed) {
  const WeightDrift drift = weight_drift(base_, sft_);
  std::map<std::string, int> parts;
  for (const TensorDrift& tensor : drift.tensors) ++parts[tensor.part];
  EXPECT_EQ(parts, (std::map<std::string, int>{{"Q", 3},
                                               {"gate", 3},
                                               {"K", 3},
                                               {"V", 3},
                                               {"O", 3},
                                               {"MLP", 9},
                                               {"norm", 7},
                                               {"embedding", 1},
                                               {"head", 1}}));
  EXPECT_EQ(drift.routing.size(), 3U * kHeads);
  const auto model = load_model(base_, at::kFloat);
  const auto seen = watch_attention(*model, std::vector<std::int64_t>(60, 7), {10, 20, 4, 16});
  EXPECT_EQ(seen.size(), 3U * kHeads);
}

TEST_F(MadeUpArchitecture, IsSweptWithItsRestoredVariants) {
  const SweepConfig sweep = parse_sweep(
      "name: made up\nhaystack: {kind: prose}\ntasks: [s1]\nlengths: [1K]\nsamples: 2\n"
      "models: [{name: m, base: base, sft: sft, variants: [base, sft, qk, qk-pro]}]\n"
      "runtime: {dtype: fp32, threads: 1}\n",
      "test", temporary_.path(), {});
  const reports::Report report =
      run_sweep(sweep, {temporary_.path() / "run", /*quiet=*/true}, LocalEngines(sweep.runtime));
  ASSERT_EQ(report.results.cells.size(), 4U);
  for (const reports::Cell& cell : report.results.cells) EXPECT_EQ(cell.n, 2);
}

}  // namespace
}  // namespace niah::models
