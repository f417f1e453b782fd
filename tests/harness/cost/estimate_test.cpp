#include "harness/cost/estimate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/decode/prefix_reader.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "tests/paths.h"

namespace niah {
namespace {

std::shared_ptr<models::CausalLM> tiny(const std::string& name) {
  return models::load_model(std::filesystem::path(NIAH_TEST_DATA) / "models" / name, at::kFloat);
}

TokenIds ids(std::int64_t count) {
  TokenIds list(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = static_cast<std::int64_t>(i % 100);
  return list;
}

TEST(Pricing, StateBytesAreThoseThatAReaderHolds) {
  for (const char* name : {"jet-tiny-bf16", "qwen3-tiny", "qwen2-window"}) {
    const auto model = tiny(name);
    constexpr std::int64_t kTokens = 700;
    models::PrefixReader reader({model}, kTokens);
    for (std::int64_t at = 0; at < kTokens; at += 100) reader.read(ids(100));
    const GroupShape shape = group_shape(*model, name, 1, model->num_layers() - 1, at::kFloat);
    const MemoryPrice price = price_cell_memory(shape, {.tokens = kTokens, .chunk = 100});
    // The estimate counts fixed-size states twice: once more for the snapshot before the question.
    EXPECT_DOUBLE_EQ(price.cache + price.states / 2, static_cast<double>(reader.bytes())) << name;
  }
}

TEST(Pricing, ALongExpectedAnswerNeedsItsLogits) {
  const auto model = tiny("qwen3-tiny");
  const GroupShape shape = group_shape(*model, "", 1, 0, at::kFloat);
  const auto chunk = [&](std::int64_t draft) {
    return price_cell_memory(shape, {.tokens = 1000, .chunk = 100, .draft = draft}).chunk;
  };
  EXPECT_EQ(chunk(0), chunk(10));
  EXPECT_GE(chunk(1000) - chunk(500), 4.0 * 500 * static_cast<double>(shape.info.vocab_size));
}

TEST(Pricing, EveryWorkerAndEveryVariantNeedsItsOwnState) {
  const auto model = tiny("qwen3-tiny");
  const auto price = [&](std::int64_t variants, std::int64_t shared, std::int64_t workers) {
    return price_cell_memory(group_shape(*model, "", variants, shared, at::kFloat),
                             {.tokens = 1000, .chunk = 100, .workers = workers})
        .cache;
  };
  const std::int64_t layers = model->num_layers();
  EXPECT_DOUBLE_EQ(price(3, 0, 1), 3 * price(1, 0, 1));
  EXPECT_DOUBLE_EQ(price(3, layers - 1, 1),
                   price(1, 0, 1) * static_cast<double>(layers + 2) / static_cast<double>(layers));
  EXPECT_DOUBLE_EQ(price(1, 0, 4), 4 * price(1, 0, 1));
}

TEST(Pricing, FlopsOfAWholeTextAreTwoForAParameterAndAToken) {
  const auto model = tiny("qwen3-tiny");
  const GroupShape shape = group_shape(*model, "", 1, 0, at::kFloat);
  double matrices = 0, attention = 0;
  for (const auto& item : model->named_parameters())
    if (item.value().dim() == 2 && item.key().find("layers.") != std::string::npos)
      matrices += static_cast<double>(item.value().numel());
  // Token t sees about t keys, so all tokens see about T^2 / 2: 4 FLOPs for each query value and
  // key.
  constexpr double kTokens = 1000;
  for (std::size_t i = 0; i + 1 < shape.info.mixers.size(); ++i)
    attention +=
        2 * static_cast<double>(shape.info.mixers[i].cost.query_values) * kTokens * kTokens;
  const double last = 2 * kTokens * (shape.layer_parameters.back() - shape.last_intake);
  EXPECT_NEAR(read_flops(shape, 0, 1000), 2 * kTokens * matrices - last + attention,
              1e-9 * matrices * kTokens);
  // Splitting the text anywhere gives the same sum.
  EXPECT_NEAR(read_flops(shape, 0, 1000), read_flops(shape, 0, 300) + read_flops(shape, 300, 1000),
              1e-6 * read_flops(shape, 0, 1000));
}

TEST(Pricing, TimeGrowsWithThePosition) {
  const SpeedLine line{1, 3, 100};
  EXPECT_DOUBLE_EQ(line.at(0), 1);
  EXPECT_DOUBLE_EQ(line.at(50), 2);
  EXPECT_DOUBLE_EQ(line.at(200), 5);
  EXPECT_DOUBLE_EQ((SpeedLine{3, 1, 100}).at(200), 3) << "noise never makes a text cheaper";
}

}  // namespace
}  // namespace niah
