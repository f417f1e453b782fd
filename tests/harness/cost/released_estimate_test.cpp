// Cost estimates of released checkpoints, from their configs alone.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "harness/cost/cell_memory.h"
#include "harness/cost/flops.h"
#include "models/registry.h"
#include "tests/models/arch/released.h"

namespace niah {
namespace {

/// The cost in bf16, computed from the models' equations independently of this program.
///
/// For Qwen3.5-9B, 8 softmax layers with 4 key/value heads of size 256 keep
/// 8 * 2 * 4 * 256 * 2 = 32,768 bytes per token; 24 linear layers keep 32 * 128 * 128 numbers in
/// fp32 and 3 columns of 8,192 channels. For Granite-4.0-H-Tiny, 4 softmax layers with 4 heads of
/// size 128 keep 4 * 2 * 4 * 128 * 2 = 8,192 bytes per token; 36 Mamba-2 layers keep
/// 48 * 64 * 128 numbers in fp32 and 3 columns of 3,328 channels.
struct Cost {
  const char* name;
  double cache;       ///< bytes per token
  double fixed;       ///< bytes at any length
  double parameters;  ///< in the layers' matrices that a token uses
  double flops;       ///< for reading 1,000 tokens
};

const std::vector<Cost>& costs() {
  static const std::vector<Cost> all = {
      {"Qwen3.5-0.8B", 12288, 19537920, 497614848, 1009418240000},
      {"Qwen3.5-4B", 32768, 51511296, 3569090560, 7066550272000},
      {"Qwen3.5-9B", 32768, 51511296, 6918504448, 13567197184000},
      {"Qwen3.5-27B", 65536, 153944064, 24350556160, 48388407296000},
      {"Qwen3.5-35B-A3B", 20480, 64389120, 2436710400, 4933513216000},
      {"Qwen3-Next-80B-A3B", 24576, 77266944, 3251208192, 6584135680000},
      {"Olmo-Hybrid-7B", 122880, 54743040, 6658744320, 13138268160000},
      {"Nemotron-Nano-9B-v2", 16384, 143548416, 7711621120, 15416786944000},
      {"Falcon-H1-7B", 45056, 139358208, 6785433600, 13669859328000},
      {"Granite-4.0-H-Tiny", 8192, 57341952, 1310490624, 2694414336000},
      {"LFM2-1.2B", 12288, 81920, 1035993088, 1995898880000},
      {"Llama-3.2-1B", 32768, 0, 973078528, 1890156544000},
      {"SmolLM3-3B", 73728, 0, 2812280832, 5615878144000},
  };
  return all;
}

class ReleasedPrice : public testing::TestWithParam<models::Released> {};

TEST_P(ReleasedPrice, IsThatOfItsShapes) {
  const models::Released& released = GetParam();
  const auto cost = std::find_if(costs().begin(), costs().end(),
                                 [&](const Cost& one) { return one.name == released.name; });
  ASSERT_NE(cost, costs().end()) << "no price is known of " << released.name;
  models::ShapeSource shapes;
  const auto model = models::make_model(released.config, released.name, shapes);
  const GroupShape shape = group_shape(*model, released.name, 1, 0, at::kBFloat16);
  constexpr std::int64_t kTokens = 4096;
  const MemoryPrice memory = price_cell_memory(shape, {.tokens = kTokens, .chunk = 512});
  EXPECT_EQ(memory.cache, cost->cache * kTokens);
  EXPECT_EQ(memory.states, 2 * cost->fixed) << "the state and the point before the question";
  EXPECT_EQ(std::accumulate(shape.layer_parameters.begin(), shape.layer_parameters.end(), 0.0),
            cost->parameters);
  EXPECT_DOUBLE_EQ(read_flops(shape, 0, 1000), cost->flops);
}

INSTANTIATE_TEST_SUITE_P(All, ReleasedPrice, testing::ValuesIn(models::released_families()),
                         [](const auto& info) { return models::test_name(info.param); });

// The published number of active parameters (of Qwen3-Coder-Next, which has this shape): all
// parameters except those of the experts that a token does not use. 1,391,360 of them are not in
// matrices.
TEST(ReleasedPrices, Qwen3NextActivatesWhatItsAuthorsSay) {
  models::ShapeSource shapes;
  const auto model =
      models::make_model(models::released_family("Qwen3-Next-80B-A3B").config, "qwen", shapes);
  const GroupShape shape = group_shape(*model, "", 1, 0, at::kBFloat16);
  const double layers =
      std::accumulate(shape.layer_parameters.begin(), shape.layer_parameters.end(), 0.0);
  EXPECT_EQ(layers + 2 * shape.head_parameters + 1391360, 3874929408);
}

}  // namespace
}  // namespace niah
