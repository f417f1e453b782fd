#include "models/device.h"

#include <ATen/ATen.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include "harness/base/error.h"
#include "models/checkpoint/checkpoint.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

std::string refusal(const std::string& name) {
  return refusal_of<UsageError>([&] { find_device(name); });
}

TEST(Device, TheCpuIsAlwaysThere) { EXPECT_TRUE(find_device("cpu").is_cpu()); }

TEST(Device, AutoTakesCudaOnlyWhereThereIsSome) {
  EXPECT_EQ(find_device("auto").is_cpu(), torch::cuda::device_count() == 0);
}

TEST(Device, SaysWhatIsMissing) {
  const std::string none = "cuda:" + std::to_string(torch::cuda::device_count());
  EXPECT_NE(refusal(none).find(none), std::string::npos) << refusal(none);
  EXPECT_NE(refusal(none).find("libtorch"), std::string::npos) << refusal(none);
  if (torch::cuda::device_count() == 0) {
    EXPECT_NE(refusal("cuda").find("libtorch"), std::string::npos) << refusal("cuda");
  }
}

TEST(Device, RefusesOtherNames) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "mps"})
    EXPECT_NE(refusal(name).find("was expected"), std::string::npos) << name;
  EXPECT_NE(refusal("cud").find("did you mean 'cuda'"), std::string::npos) << refusal("cud");
}

TEST(Placement, LeavesTensorsOnTheCpuAlone) {
  const at::Tensor x = torch::randn({3});
  const WeightMap there = Placement(at::kCPU)({{"x", x}});
  EXPECT_EQ(there.at("x").const_data_ptr(), x.const_data_ptr());
}

TEST(Placement, CopiesWhatVariantsShareOnce) {
  const at::Tensor shared = torch::randn({3}), own = torch::randn({3});
  Placement place(at::kMeta);
  const WeightMap first = place({{"x", shared}, {"y", own}});
  const WeightMap second = place({{"x", shared}, {"y", torch::randn({3})}});
  EXPECT_TRUE(first.at("x").is_meta());
  EXPECT_TRUE(first.at("x").is_same(second.at("x")));
  EXPECT_FALSE(first.at("y").is_same(second.at("y")));
}

/// All tensors that a model computes with must be on its parameters' device. The meta device, which
/// has shapes only, rejects others as a real device does. Embedding, softmax attention and experts
/// are left out, since libtorch does not have them for the meta device.
class OnAnotherDevice : public testing::TestWithParam<std::string> {
 protected:
  static std::shared_ptr<CausalLM> load() {
    return load_model(GetParam(), at::kFloat, nullptr, at::kMeta);
  }
  static at::Tensor read(CausalLM& model, State& state, std::int64_t tokens) {
    Pass pass = model.begin({state.position()}, tokens);
    pass.attend = [](const AttentionInputs& inputs) { return at::empty_like(inputs.query); };
    at::Tensor hidden = at::empty({1, tokens, model.info().hidden_size}, at::kMeta);
    for (std::int64_t i = 0; i < model.num_layers(); ++i)
      hidden = model.layer(i, hidden, &state.layer(i), pass, tokens);
    state.advance(tokens);
    return model.head(hidden);
  }
};

bool has_delta_rule(const ModelInfo& info) {
  return std::any_of(info.mixers.begin(), info.mixers.end(), [](const MixerInfo& mixer) {
    return mixer.name == "JetBlock" || mixer.name.find("delta") != std::string::npos;
  });
}

/// Leaves out models with experts: routing a token needs real numbers.
std::vector<std::string> models_without_experts() {
  std::vector<std::string> folders = golden_models("");
  std::erase_if(folders, [](const std::string& folder) {
    const auto config = parse_config_file(std::filesystem::path(folder) / "config.json", "testing");
    return config.dump().find("experts_per_tok") != std::string::npos;
  });
  return folders;
}

TEST_P(OnAnotherDevice, ComputesWithoutTheCpu) {
  const auto model = load();
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(device_of(*model).is_meta());
  State state(model->num_layers());
  // Chunks of the delta rule solve a triangular system, which the meta device does not have either.
  for (const std::int64_t tokens : {has_delta_rule(model->info()) ? 1 : 70, 1, 1}) {
    const at::Tensor logits = read(*model, state, tokens);
    EXPECT_TRUE(logits.is_meta());
    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{1, tokens, model->info().vocab_size}));
  }
}

INSTANTIATE_TEST_SUITE_P(All, OnAnotherDevice, testing::ValuesIn(models_without_experts()),
                         [](const auto& info) {
                           std::string name = std::filesystem::path(info.param).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + "_" + std::to_string(info.index);
                         });

}  // namespace
}  // namespace niah::models
