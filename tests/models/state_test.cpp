#include "models/state.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/decode/prefix_reader.h"
#include "models/load_model.h"
#include "models/registry.h"
#include "models/surgery/restore.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

std::vector<std::int64_t> random_ids(std::int64_t count, std::int64_t vocab, std::uint64_t seed) {
  torch::manual_seed(seed);
  const at::Tensor ids = torch::randint(vocab, {count}, at::kLong);
  return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + count};
}

std::shared_ptr<CausalLM> tiny() {
  return load_model(test_data() / "models/hypenet-tiny-sharded", at::kFloat);
}

TEST(KvCache, GrowsAndTruncatesWithoutChangingWhatItHolds) {
  KvCache cache;
  const at::Tensor a = torch::randn({1, 2, 3, 4}), b = torch::randn({1, 2, 5, 4});
  cache.append(a, a + 1);
  cache.append(b, b + 1);
  EXPECT_TRUE(at::equal(cache.key(), at::cat({a, b}, 2)));
  cache.truncate(3);
  EXPECT_TRUE(at::equal(cache.key(), a));
  cache.append(b, b + 2);
  EXPECT_TRUE(at::equal(cache.value(), at::cat({a + 1, b + 2}, 2)));
  EXPECT_THROW(cache.truncate(9), std::logic_error);
}

TEST(KvCache, HoldsKeysWithoutValues) {
  KvCache cache;
  const at::Tensor a = torch::randn({1, 1, 3, 4}), b = torch::randn({1, 1, 5, 4});
  cache.append(a, a.narrow(3, 0, 0));
  cache.append(b, b.narrow(3, 0, 0));
  cache.append_zeros(1);
  EXPECT_TRUE(at::equal(cache.copy(20).key().narrow(2, 0, 8), at::cat({a, b}, 2)));
  EXPECT_EQ(cache.value().sizes(), (std::vector<std::int64_t>{1, 1, 9, 0}));
  EXPECT_EQ(cache.copy(20).bytes(), 20 * 4 * 4);
}

TEST(KvCache, ReservedRoomIsNotMoved) {
  KvCache cache;
  cache.reserve(100);
  const at::Tensor a = torch::randn({1, 1, 1, 4});
  cache.append(a, a);
  const void* place = cache.key().const_data_ptr();
  for (int i = 1; i < 100; ++i) cache.append(a, a);
  EXPECT_EQ(cache.key().const_data_ptr(), place);
  EXPECT_EQ(cache.bytes(), 2 * 100 * 4 * 4);
}

// States of several sequences are stored as one tensor and read as one again without being copied.
TEST(LayerStates, PartsThatLieSideBySideAreJoinedWithoutACopy) {
  LayerState first, second, third;
  const LayerStates states(std::vector{&first, &second, &third});
  const at::Tensor whole = torch::randn({3, 2, 4});
  states.store(&RecurrentState::recurrent, whole);
  const at::Tensor joined = states.joined(&RecurrentState::recurrent);
  EXPECT_TRUE(at::equal(joined, whole));
  EXPECT_EQ(joined.const_data_ptr(), whole.const_data_ptr());

  // They are copied if the order differs, or if one was replaced by a separate tensor.
  const LayerStates turned(std::vector{&second, &first, &third});
  EXPECT_TRUE(at::equal(turned.joined(&RecurrentState::recurrent),
                        at::stack({whole[1], whole[0], whole[2]})));
  second.forgetting.recurrent = torch::randn({1, 2, 4});
  EXPECT_TRUE(at::equal(
      states.joined(&RecurrentState::recurrent),
      at::cat({whole.narrow(0, 0, 1), second.forgetting.recurrent, whole.narrow(0, 2, 1)})));
}

TEST(State, RewindRestoresTheExactState) {
  const auto model = tiny();
  const auto ids = random_ids(150, 256, 1);
  const auto piece = [&](std::int64_t from, std::int64_t to) {
    return at::tensor(at::IntArrayRef(ids).slice(from, to - from), at::kLong).unsqueeze(0);
  };
  State state(model->num_layers());
  model->forward(piece(0, 70), state, Logits::kNone);
  const Mark mark = state.mark();
  const at::Tensor first = model->forward(piece(70, 150), state, Logits::kAll);
  state.rewind(mark);
  EXPECT_EQ(state.position(), 70);
  model->forward(piece(100, 120), state, Logits::kNone);  // read another branch in between
  state.rewind(mark);
  EXPECT_TRUE(at::equal(model->forward(piece(70, 150), state, Logits::kAll), first));
  state.rewind(mark);
  EXPECT_THROW(
      {
        State shorter(model->num_layers());
        shorter.rewind(mark);
      },
      std::logic_error);
}

TEST(CausalLM, LastRowsAreTheLastOfAllRows) {
  const auto model = tiny();
  const auto ids = at::tensor(at::IntArrayRef(random_ids(90, 256, 2)), at::kLong).unsqueeze(0);
  State all(model->num_layers()), last(model->num_layers()), few(model->num_layers());
  const at::Tensor every = model->forward(ids, all, Logits::kAll);
  EXPECT_LT(
      (model->forward(ids, last, Logits::kLast) - every.narrow(1, 89, 1)).abs().max().item<float>(),
      1e-4);
  EXPECT_LT((model->forward_rows(ids, few, 7) - every.narrow(1, 83, 7)).abs().max().item<float>(),
            1e-4);
}

TEST(CausalLM, BatchRowsAreIndependent) {
  const auto model = tiny();
  const at::Tensor a = at::tensor(at::IntArrayRef(random_ids(40, 256, 3)), at::kLong).unsqueeze(0);
  const at::Tensor b = at::tensor(at::IntArrayRef(random_ids(40, 256, 4)), at::kLong).unsqueeze(0);
  const at::Tensor both = model->forward_train(at::cat({a, b}));
  EXPECT_LT((both[0] - model->forward_train(a)[0]).abs().max().item<float>(), 1e-4);
  EXPECT_LT((both[1] - model->forward_train(b)[0]).abs().max().item<float>(), 1e-4);
}

TEST(PrefixReader, SharedLayersGiveTheVariantsOwnLogitsToTheBit) {
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models/hypenet-tiny-sharded");
  const WeightMap pre = load_weights(checkpoint, at::kFloat);
  WeightMap post = pre;
  // Layer 2 is the first softmax layer; changing V there makes it the first layer that differs.
  const auto plain = build_model(checkpoint->config(), "pre", pre);
  post["model.layers.2.self_attn.v_proj.weight"] =
      post["model.layers.2.self_attn.v_proj.weight"] * 1.5;
  const auto changed = build_model(checkpoint->config(), "post", post);

  PrefixReader shared({plain, changed}, 100);
  EXPECT_EQ(shared.shared_layers(), 2);
  const auto ids = random_ids(60, 256, 5), tail = random_ids(9, 256, 6);
  shared.read(ids);
  const auto point = shared.mark();
  const at::Tensor first = shared.read_one(0, tail, 3);
  shared.rewind(point);
  const at::Tensor second = shared.read_one(1, tail, 3);
  for (const auto& [model, logits] : {std::pair{plain, first}, std::pair{changed, second}}) {
    PrefixReader alone({model}, 100);
    alone.read(ids);
    EXPECT_TRUE(at::equal(alone.read_one(0, tail, 3), logits));
  }
  EXPECT_FALSE(at::equal(first, second));
}

}  // namespace
}  // namespace niah::models
