#include "models/mixer_info.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/registry.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<CausalLM> model_of(const std::string& folder) {
  const Checkpoint checkpoint(test_data() / "models" / folder);
  return check_tensors(checkpoint, checkpoint.config());
}

std::vector<std::string> all_models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test_data() / "models"))
    if (fs::exists(entry.path() / "config.json")) names.push_back(entry.path().filename().string());
  return names;
}

// What restores, compares and counts weights by their parts loses none and takes none twice.
TEST(MixerInfo, EveryRowOfEveryTensorIsOfOnePart) {
  ASSERT_GE(all_models().size(), 5U);
  for (const std::string& name : all_models()) {
    const auto model = model_of(name);
    auto parts = parts_by_tensor(model->info());
    for (const auto& item : model->named_parameters()) {
      std::vector<int> taken(static_cast<std::size_t>(item.value().size(0)));
      for (const PlacedPart& part : parts[item.key()]) {
        const TensorRows& rows = part.rows.rows;
        for (std::int64_t block = 0; block < rows.repetitions; ++block)
          for (std::int64_t row = 0; row < rows.rows; ++row)
            ++taken.at(static_cast<std::size_t>(rows.first + block * rows.stride + row));
      }
      for (const int count : taken) ASSERT_EQ(count, 1) << name << " " << item.key();
      parts.erase(item.key());
    }
    EXPECT_TRUE(parts.empty()) << name << ": " << parts.begin()->first << " is no parameter";
  }
}

TEST(MixerInfo, LayersOfTensorsAreThoseOfTheirNames) {
  for (const std::string& name : all_models())
    for (const auto& [tensor, parts] : parts_by_tensor(model_of(name)->info())) {
      constexpr std::string_view kPrefix = "model.layers.";
      std::optional<std::int64_t> layer;
      if (tensor.starts_with(kPrefix)) layer = std::stoll(tensor.substr(kPrefix.size()));
      for (const PlacedPart& part : parts) EXPECT_EQ(part.layer, layer) << name << " " << tensor;
    }
}

TEST(MixerInfo, PatternsNameTheirLetters) {
  const ModelInfo hybrid = model_of("hypenet-flags")->info();
  EXPECT_EQ(layer_pattern(hybrid), "LAL");
  EXPECT_EQ(pattern_legend(hybrid), "L lightning, A softmax");
}

TEST(MixerInfo, ListsWeightsOfAPartBeforeItsBiases) {
  const ModelInfo info = model_of("hypenet-flags")->info();
  const auto rows = info.mixers[1].of(Part::kQuery);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].rows.tensor, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_FALSE(rows[0].is_bias);
  EXPECT_TRUE(rows[1].is_bias);
}

}  // namespace
}  // namespace niah::models
