#include "models/mixer_info.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/registry.h"
#include "tests/models/support.h"
#include "tests/models/tiny_hybrids.h"

namespace niah::models {
namespace {

namespace fs = std::filesystem;

/// The model in `folder` (a name in tests/data/models, or a path), without weights.
std::shared_ptr<CausalLM> model_of(const fs::path& folder) {
  const Checkpoint checkpoint(test_data() / "models" / folder);
  return check_tensors(checkpoint, checkpoint.config());
}

std::vector<std::string> all_models() { return golden_models(""); }

/// Models without weights of every checkpoint in the repository and of every tiny hybrid.
std::vector<std::pair<std::string, std::shared_ptr<CausalLM>>> every_model() {
  std::vector<std::pair<std::string, std::shared_ptr<CausalLM>>> models;
  for (const std::string& name : all_models()) models.emplace_back(name, model_of(name));
  for (const auto& [name, config] : tiny_hybrids()) {
    ShapeSource shapes;
    models.emplace_back(name, make_model(config, name, shapes));
  }
  return models;
}

// Restoring, comparing and counting weights by parts must not miss a row or use one twice.
TEST(MixerInfo, EveryRowOfEveryTensorIsOfOnePart) {
  ASSERT_GE(all_models().size(), 5U);
  for (const auto& [name, model] : every_model()) {
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
  for (const auto& [name, model] : every_model())
    for (const auto& [tensor, parts] : parts_by_tensor(model->info())) {
      constexpr std::string_view kLayers = ".layers.";
      const std::size_t at = tensor.find(kLayers);
      std::optional<std::int64_t> layer;
      if (at != tensor.npos) layer = std::stoll(tensor.substr(at + kLayers.size()));
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
