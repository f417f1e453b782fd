// Properties of models with recurrent mixers, short convolutions and experts that hold for any
// weights. golden_test.cpp tests that the outputs are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/base/error.h"
#include "models/instruments/selftest.h"
#include "tests/models/tiny_hybrids.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::HasSubstr;

at::Tensor ids(std::int64_t count) {
  torch::manual_seed(static_cast<std::uint64_t>(count));
  return torch::randint(97, {1, count}, at::kLong);
}

std::string refusal(const json& config) {
  ShapeSource shapes;
  return refusal_of<Error>([&] { make_model(config, "test", shapes); });
}

class Hybrid : public testing::TestWithParam<std::pair<std::string, json>> {
 protected:
  const json& config() const { return GetParam().second; }
};

TEST_P(Hybrid, PassesItsSelftest) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto checks = selftest(*tiny_model(config(), dtype), {.chunk = 48, .long_tokens = 600});
    EXPECT_GE(checks.size(), 2U);
    for (const SelftestCheck& check : checks) EXPECT_TRUE(check.passed) << describe(check);
  }
}

TEST_P(Hybrid, DoesNotDependOnHowATextIsCut) {
  const auto model = tiny_model(config());
  const at::Tensor text = ids(150);
  State whole(model->num_layers()), cut(model->num_layers());
  const at::Tensor expected = model->forward(text, whole, Logits::kAll);
  std::vector<at::Tensor> parts;
  std::int64_t at = 0;
  for (const std::int64_t size : {1, 1, 5, 2, 3, 1, 70, 1, 66})
    parts.push_back(
        model->forward(text.narrow(1, std::exchange(at, at + size), size), cut, Logits::kAll));
  EXPECT_LT((at::cat(parts, 1) - expected).abs().max().item<float>(), 1e-3);
  const at::Tensor trained = model->forward_train(text);
  EXPECT_LT((trained - expected).abs().max().item<float>(), 1e-3);
}

TEST_P(Hybrid, KeepsItsStateWhereNoLogitsAreWanted) {
  const auto model = tiny_model(config());
  const at::Tensor text = ids(90);
  State all(model->num_layers()), none(model->num_layers());
  model->forward(text, all, Logits::kAll);
  model->forward(text, none, Logits::kNone);
  EXPECT_TRUE(at::equal(model->forward(ids(3), all, Logits::kAll),
                        model->forward(ids(3), none, Logits::kAll)));
}

TEST_P(Hybrid, RewindRestoresTheExactState) {
  const auto model = tiny_model(config());
  State state(model->num_layers());
  model->forward(ids(70), state, Logits::kNone);
  const Mark mark = state.mark();
  const at::Tensor first = model->forward(ids(80), state, Logits::kAll);
  state.rewind(mark);
  for (std::int64_t i = 0; i < 5; ++i) model->forward(ids(1), state, Logits::kNone);
  state.rewind(mark);
  EXPECT_TRUE(at::equal(model->forward(ids(80), state, Logits::kAll), first));
  EXPECT_GT(mark.bytes(), 0);
}

TEST_P(Hybrid, SequencesDecodedTogetherGetWhatEachGetsAlone) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto model = tiny_model(config(), dtype);
    std::vector<State> alone, together;
    std::vector<State*> states;
    for (const std::int64_t length : {5, 70, 33, 6, 1}) {
      alone.emplace_back(model->num_layers());
      model->forward(ids(length), alone.back(), Logits::kNone);
      together.push_back(State::fork(alone.back(), 1, alone.back(), length + 10));
    }
    for (State& state : together) states.push_back(&state);
    torch::manual_seed(9);
    for (std::int64_t step = 0; step < 4; ++step) {
      const at::Tensor next = torch::randint(97, {5, 1}, at::kLong);
      std::vector<at::Tensor> expected;
      for (std::int64_t i = 0; i < 5; ++i)
        expected.push_back(model->forward(next.narrow(0, i, 1), alone[static_cast<std::size_t>(i)],
                                          Logits::kLast));
      EXPECT_TRUE(at::equal(model->forward_rows(next, states, 1), at::cat(expected))) << dtype;
    }
  }
}

TEST_P(Hybrid, RefusesFieldsThatItDoesNotKnow) {
  EXPECT_EQ(refusal(config()), "accepted");
  json changed = config();
  json& text = changed.contains("text_config") ? changed["text_config"] : changed;
  text["linear_mystery"] = 3;
  EXPECT_THAT(refusal(changed), HasSubstr("linear_mystery"));
}

INSTANTIATE_TEST_SUITE_P(All, Hybrid, testing::ValuesIn(tiny_hybrids()),
                         [](const auto& info) { return info.param.first; });

TEST(Qwen35, RefusesWhatItCannotHonour) {
  const auto with = [](const char* field, const json& value) {
    json config = tiny_qwen("qwen3_5_text");
    config[field] = value;
    return refusal(config);
  };
  EXPECT_THAT(with("attn_output_gate", false), HasSubstr("attn_output_gate"));
  EXPECT_THAT(with("linear_num_key_heads", 3), HasSubstr("linear_num_key_heads"));
  EXPECT_THAT(with("layer_types", {"mamba", "mamba", "mamba", "mamba"}), HasSubstr("mamba"));
  EXPECT_THAT(with("hidden_act", "gelu"), HasSubstr("hidden_act"));
  EXPECT_EQ(with("mtp_num_hidden_layers", 1), "accepted");
  json wrapper = {{"model_type", "qwen3_5"},
                  {"tie_word_embeddings", true},
                  {"text_config", tiny_qwen("qwen3_5_text")}};
  EXPECT_THAT(refusal(wrapper), HasSubstr("tie_word_embeddings"));
  wrapper["tie_word_embeddings"] = false;
  EXPECT_EQ(refusal(wrapper), "accepted");
}

/// The same weights in all three layouts: names below model. or model.language_model., a flat or
/// nested config, with or without a vision tower and a draft model.
TEST(Qwen35, ComputesTheSameInEveryLayout) {
  const json flat = tiny_qwen("qwen3_5_text");
  const json nested = {
      {"model_type", "qwen3_5"}, {"text_config", flat}, {"vision_config", json::object()}};
  const WeightMap plain = tiny_weights(flat, 5);
  WeightMap outer;
  for (const auto& [name, tensor] : plain)
    outer[name.starts_with("model.") ? "model.language_model" + name.substr(5) : name] = tensor;
  WeightMap tower = outer;
  tower["model.visual.pos_embed.weight"] = tower["mtp.fc.weight"] = at::ones({2, 2});
  const auto logits = [](const json& config, const WeightMap& weights) {
    const auto model = build_model(config, "layout", weights);
    State state(model->num_layers());
    return model->forward(ids(20), state, Logits::kAll);
  };
  const at::Tensor expected = logits(flat, plain);
  EXPECT_TRUE(at::equal(logits(flat, outer), expected));
  EXPECT_TRUE(at::equal(logits(nested, tower), expected));
  EXPECT_TRUE(at::equal(logits(nested, plain), expected));
  tower["model.audio.weight"] = at::ones({2});
  EXPECT_THROW(logits(nested, tower), DataError);
}

TEST(Qwen35, MixesExpertsThatAreStoredEitherWay) {
  json config;
  for (const auto& [name, own] : tiny_hybrids())
    if (name == "qwen3_5_moe") config = own;
  const WeightMap fused = tiny_weights(config, 5);
  WeightMap single;
  for (const auto& [name, tensor] : fused) {
    const std::size_t at = name.find(".experts.");
    if (at == name.npos) {
      single[name] = tensor;
      continue;
    }
    const std::string prefix = name.substr(0, at + std::string(".experts.").size());
    for (std::int64_t e = 0; e < tensor.size(0); ++e) {
      const std::string own = prefix + std::to_string(e);
      if (name.ends_with(".down_proj")) {
        single[own + ".down_proj.weight"] = tensor[e];
        continue;
      }
      const auto halves = tensor[e].chunk(2);
      single[own + ".gate_proj.weight"] = halves[0];
      single[own + ".up_proj.weight"] = halves[1];
    }
  }
  const auto logits = [&](const WeightMap& weights) {
    const auto model = build_model(config, "experts", weights);
    State state(model->num_layers());
    return model->forward(ids(20), state, Logits::kAll);
  };
  ASSERT_GT(single.size(), fused.size());
  EXPECT_TRUE(at::equal(logits(fused), logits(single)));
}

// transformers splits the single convolution into equal thirds when it saves a model.
TEST(OlmoHybrid, TakesItsConvolutionHoweverItIsCut) {
  json config;
  for (const auto& [name, own] : tiny_hybrids())
    if (name == "olmo_hybrid") config = own;
  const WeightMap true_widths = tiny_weights(config, 5);
  WeightMap thirds = true_widths;
  for (const auto& [name, tensor] : true_widths) {
    const std::size_t at = name.find("q_conv1d");
    if (at == name.npos) continue;
    const std::string prefix = name.substr(0, at), rest = "_conv1d.weight";
    const auto cut =
        at::cat({tensor, true_widths.at(prefix + "k" + rest), true_widths.at(prefix + "v" + rest)})
            .chunk(3);
    ASSERT_NE(cut[0].size(0), tensor.size(0));
    for (const auto& [part, piece] : {std::pair{"q", cut[0]}, {"k", cut[1]}, {"v", cut[2]}})
      thirds[prefix + part + rest] = piece.contiguous();
  }
  const auto logits = [&](const WeightMap& weights) {
    const auto model = build_model(config, "thirds", weights);
    State state(model->num_layers());
    return model->forward(ids(20), state, Logits::kAll);
  };
  EXPECT_TRUE(at::equal(logits(thirds), logits(true_widths)));
}

TEST(OlmoHybrid, IsRotatedUnlessItsThetaIsNull) {
  json config = {{"model_type", "olmo_hybrid"}, {"hidden_size", 64}, {"num_attention_heads", 2}};
  const auto theta = [](const json& changed) {
    ShapeSource shapes;
    return make_model(changed, "test", shapes)->info().settings.at("rope_theta");
  };
  EXPECT_EQ(theta(config), "10000");
  config["rope_parameters"] = nullptr;
  EXPECT_EQ(theta(config), "10000");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", nullptr}};
  EXPECT_EQ(theta(config), "none");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}};
  EXPECT_EQ(theta(config), "500");
  config.erase("rope_parameters");
  config["rope_theta"] = nullptr;
  EXPECT_EQ(theta(config), "none");
}

TEST(Lfm2, ReadsOldAndNewFieldNames) {
  const auto settings = [](const json& fields) {
    json config = {{"model_type", "lfm2"},
                   {"hidden_size", 64},
                   {"num_attention_heads", 2},
                   {"num_key_value_heads", 1},
                   {"num_hidden_layers", 3}};
    config.update(fields);
    ShapeSource shapes;
    const auto model = make_model(config, "test", shapes);
    auto all = model->info().settings;
    all["pattern"] = layer_pattern(model->info());
    return all;
  };
  EXPECT_EQ(settings({{"block_ff_dim", 96},
                      {"full_attn_idxs", json::array({1})},
                      {"tie_embedding", false},
                      {"block_multiple_of", 16}}),
            settings({{"intermediate_size", 96},
                      {"layer_types", {"conv", "full_attention", "conv"}},
                      {"tie_word_embeddings", false},
                      {"block_multiple_of", 16}}));
  const auto width = [&](const json& fields) { return settings(fields).at("width of the MLP"); };
  EXPECT_EQ(width({{"intermediate_size", 100}, {"block_multiple_of", 16}}), "80");  // from 66
  EXPECT_EQ(width({{"intermediate_size", 100},
                   {"block_multiple_of", 16},
                   {"block_ffn_dim_multiplier", 1.5}}),
            "112");  // from 99
  EXPECT_EQ(width({{"intermediate_size", 100}, {"block_auto_adjust_ff_dim", false}}), "100");
}

}  // namespace
}  // namespace niah::models
