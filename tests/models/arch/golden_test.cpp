// Every architecture against numbers recorded from its reference implementation.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/registry.h"
#include "models/verify.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return GetParam(); }
  Golden golden() const { return read_golden(folder() / "golden.safetensors"); }
};

TEST_P(GoldenModel, Fp32LogitsMatchInAnyChunkingAndInDecode) {
  const auto model = load_model(folder(), at::kFloat);
  for (const std::int64_t chunk : {0, 1, 7, 64, 1000}) {
    const VerifyResult result = verify(*model, golden(), chunk);
    EXPECT_LT(result.prefill_max_abs_diff, 1e-4) << "chunk " << chunk;
    EXPECT_LT(result.decode_max_abs_diff, 1e-4) << "chunk " << chunk;
    EXPECT_EQ(result.argmax_agreement, 1) << "chunk " << chunk;
  }
}

TEST_P(GoldenModel, TrainingPassMatches) {
  const auto model = load_model(folder(), at::kFloat);
  const Golden reference = golden();
  const at::Tensor logits = model->forward_train(reference.input_ids);
  EXPECT_LT((logits - reference.logits).abs().max().item<double>(), 1e-4);
}

TEST_P(GoldenModel, Bf16AgreesWhereTheMarginIsClear) {
  const auto model = load_model(folder(), at::kBFloat16);
  const VerifyResult result = verify(*model, golden(), 64);
  EXPECT_EQ(result.clear_argmax_agreement, 1);
  EXPECT_LT(result.mean_abs_diff, 0.06);
}

INSTANTIATE_TEST_SUITE_P(HypeNet, GoldenModel, testing::ValuesIn(golden_models("hypenet")),
                         [](const auto& info) {
                           std::string name = fs::path(info.param).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + "_" + std::to_string(info.index);
                         });

}  // namespace
}  // namespace niah::models
