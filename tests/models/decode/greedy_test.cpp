#include "models/decode/greedy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/short_of_memory.h"
#include "tests/models/support.h"

namespace niah::models {
namespace {

struct Fixture {
  std::shared_ptr<CausalLM> model =
      load_model(test_data() / "models/hypenet-tiny-sharded", at::kFloat);
  std::vector<std::int64_t> prompt = {5, 9, 200, 31, 77, 12, 250, 3, 8, 90, 41, 17};

  /// The plain greedy continuation, token by token, with the model's own forward.
  std::vector<std::int64_t> greedy(std::size_t count) {
    State state(model->num_layers());
    std::vector<std::int64_t> out;
    at::Tensor ids = at::tensor(at::IntArrayRef(prompt), at::kLong).unsqueeze(0);
    while (out.size() < count) {
      const at::Tensor logits = model->forward(ids, state, Logits::kLast);
      out.push_back(logits.argmax(-1).item<std::int64_t>());
      ids = at::full({1, 1}, out.back(), at::kLong);
    }
    return out;
  }

  Generation run(DecodeOptions options, std::size_t tail = 4) {
    PrefixReader reader({model}, 200);
    const auto cut = prompt.end() - static_cast<long>(tail);
    reader.read({prompt.begin(), cut});
    return decode_greedy(reader, 0, {cut, prompt.end()}, options);
  }
};

TEST(DecodeGreedy, EqualsTokenByTokenWithoutADraft) {
  Fixture f;
  const Generation out = f.run({.max_new_tokens = 20, .eos_ids = {}, .draft = {}, .decided = {}});
  EXPECT_EQ(out.ids, f.greedy(20));
  EXPECT_TRUE(out.hit_limit);
  EXPECT_FALSE(out.draft_log_prob.has_value());
}

TEST(DecodeGreedy, EndsWhenItsRoomIsUsedUp) {
  Fixture f;
  const auto expected = f.greedy(7);
  for (const std::size_t right : {0, 3, 7}) {  // the limit of 5 is beyond the draft, or within it
    DecodeOptions options{.max_new_tokens = 20, .eos_ids = {}, .draft = {}, .decided = {}};
    options.draft.assign(expected.begin(), expected.begin() + static_cast<long>(right));
    options.exhausted = [](const std::vector<std::int64_t>& ids) { return ids.size() >= 5; };
    const Generation out = f.run(options);
    EXPECT_EQ(out.ids, std::vector<std::int64_t>(expected.begin(), expected.begin() + 5));
    EXPECT_TRUE(out.hit_limit);
  }
}

TEST(DecodeGreedy, DoesNotDependOnTheDraft) {
  Fixture f;
  const auto expected = f.greedy(20);
  for (std::size_t right = 0; right <= 10; ++right) {
    std::vector<std::int64_t> draft(expected.begin(), expected.begin() + static_cast<long>(right));
    for (int wrong = 0; wrong < 3; ++wrong) draft.push_back((expected[right] + 1) % 256);
    const Generation out =
        f.run({.max_new_tokens = 20, .eos_ids = {}, .draft = draft, .decided = {}});
    EXPECT_EQ(out.ids, expected) << right << " draft tokens are right";
  }
  const std::vector<std::int64_t> exact(expected.begin(), expected.begin() + 12);
  EXPECT_EQ(f.run({.max_new_tokens = 20, .eos_ids = {}, .draft = exact, .decided = {}}).ids,
            expected);
}

TEST(DecodeGreedy, DoesNotDependOnWhatIsLookedUp) {
  Fixture f;
  // The prompt contains the continuation up to some point: guesses are right until there, then
  // wrong.
  const auto expected = f.greedy(60);
  for (const std::size_t right : {0, 5, 20, 60}) {
    std::vector<std::int64_t> text(expected.begin(), expected.begin() + static_cast<long>(right));
    text.insert(text.end(), 10, 3);
    text.insert(text.end(), f.prompt.begin(), f.prompt.end());
    const Generation out =
        f.run({.max_new_tokens = 60, .eos_ids = {}, .draft = {}, .prompt = text, .decided = {}});
    EXPECT_EQ(out.ids, expected) << right << " tokens can be looked up";
    EXPECT_TRUE(out.hit_limit);
  }
}

TEST(DecodeGreedy, ReadsWhatRepeatsInFewPasses) {
  // With its layers' outputs zeroed, a model with this embedding repeats one token for ever.
  Fixture f;
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models/hypenet-tiny-sharded");
  WeightMap weights = load_weights(checkpoint, at::kFloat);
  for (auto& [name, tensor] : weights)
    if (name.find("o_proj") != std::string::npos || name.find("down_proj") != std::string::npos)
      tensor = at::zeros_like(tensor);
  at::Tensor embedding = at::zeros_like(weights["model.embed_tokens.weight"]);
  embedding.fill_(1);
  weights["model.embed_tokens.weight"] = embedding;
  f.model = build_model(checkpoint->config(), "constant", weights);
  const Generation out =
      f.run({.max_new_tokens = 100, .eos_ids = {}, .draft = {}, .prompt = f.prompt, .decided = {}});
  EXPECT_EQ(out.ids, std::vector<std::int64_t>(100, out.ids.front()));
  EXPECT_LT(out.passes, 15);
}

TEST(DecodeGreedy, ScoresTheDraft) {
  Fixture f;
  const auto draft = f.greedy(3);
  const Generation out = f.run({.max_new_tokens = 3, .eos_ids = {}, .draft = draft, .decided = {}});
  EXPECT_EQ(out.draft_rank, 1);
  State state(f.model->num_layers());
  std::vector<std::int64_t> text = f.prompt;
  text.insert(text.end(), draft.begin(), draft.end() - 1);
  const at::Tensor logits =
      f.model->forward_rows(at::tensor(at::IntArrayRef(text), at::kLong).unsqueeze(0), state, 3)[0];
  double expected = 0;
  for (std::int64_t i = 0; i < 3; ++i)
    expected += at::log_softmax(logits[i].to(at::kDouble), -1)[draft[static_cast<std::size_t>(i)]]
                    .item<double>();
  EXPECT_NEAR(*out.draft_log_prob, expected, 1e-4);

  std::vector<std::int64_t> unlikely = draft;
  unlikely[1] = logits[1].argmin().item<std::int64_t>();
  EXPECT_EQ(
      f.run({.max_new_tokens = 3, .eos_ids = {}, .draft = unlikely, .decided = {}}).draft_rank,
      256);
}

TEST(DecodeGreedy, StopsAtEosAndWhenDecided) {
  Fixture f;
  const auto all = f.greedy(12);
  const auto eos = all[5];
  const auto first_eos = std::find(all.begin(), all.end(), eos);
  for (const auto& draft : {std::vector<std::int64_t>{}, all}) {
    const Generation stopped =
        f.run({.max_new_tokens = 12, .eos_ids = {eos}, .draft = draft, .decided = {}});
    EXPECT_EQ(stopped.ids, std::vector<std::int64_t>(all.begin(), first_eos));
    EXPECT_FALSE(stopped.hit_limit);
    const Generation decided =
        f.run({.max_new_tokens = 12, .eos_ids = {}, .draft = draft, .decided = [](const auto& ids) {
                 return ids.size() == 4;
               }});
    EXPECT_EQ(decided.ids, std::vector<std::int64_t>(all.begin(), all.begin() + 4));
  }
}

TEST(BestTokens, AreMinusOneWhereALogitIsNotFinite) {
  at::Tensor logits = at::tensor({1.0, 3.0, 2.0, 5.0, 4.0, 0.0}).view({2, 3});
  EXPECT_EQ(best_tokens(logits), (std::vector<std::int64_t>{1, 0}));
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    logits[1][2] = bad;
    EXPECT_EQ(best_tokens(logits), (std::vector<std::int64_t>{1, -1})) << bad;
  }
}

TEST(DecodeGreedy, ReportsLogitsThatAreNotFinite) {
  Fixture f;
  const auto checkpoint = std::make_shared<Checkpoint>(test_data() / "models/hypenet-tiny-sharded");
  WeightMap weights = load_weights(checkpoint, at::kFloat);
  weights["model.norm.weight"] = at::full_like(weights["model.norm.weight"], NAN);
  f.model = build_model(checkpoint->config(), "broken", weights);
  EXPECT_FALSE(f.run({.max_new_tokens = 3, .eos_ids = {}, .draft = {}, .decided = {}}).finite);
}

TEST(DecodeTogether, EverySequenceGetsWhatItGetsAlone) {
  Fixture f;
  torch::manual_seed(7);
  PrefixReader reader({f.model}, 200);
  std::vector<std::vector<std::int64_t>> prompts;
  std::vector<Generation> alone;
  std::vector<GreedyDecoder> decoders;
  std::vector<Branch> branches;
  const PrefixReader::Snapshot start = reader.mark();
  for (std::int64_t i = 0; i < 7; ++i) {
    const at::Tensor drawn = torch::randint(256, {20 + 9 * i}, at::kLong);
    prompts.emplace_back(drawn.const_data_ptr<std::int64_t>(),
                         drawn.const_data_ptr<std::int64_t>() + drawn.numel());
  }
  // The second and fifth prompts contain their own continuation, so that much of it can be guessed.
  for (const std::size_t i : {1, 4}) {
    reader.rewind(start);
    reader.read({prompts[i].begin(), prompts[i].end() - 1});
    const auto said = decode_greedy(reader, 0, {prompts[i].back()}, {.max_new_tokens = 20}).ids;
    prompts[i].insert(prompts[i].begin(), said.begin(), said.end());
  }
  for (const auto& prompt : prompts) {
    DecodeOptions options{.max_new_tokens = 15 + static_cast<std::int64_t>(alone.size()),
                          .draft = {1, 2, 3},
                          .prompt = prompt};
    reader.rewind(start);
    reader.read({prompt.begin(), prompt.end() - 1});
    const PrefixReader::Snapshot before = reader.mark();
    alone.push_back(decode_greedy(reader, 0, {prompt.back()}, options));
    reader.rewind(before);
    decoders.emplace_back(std::vector{prompt.back()}, options);
    ASSERT_TRUE(decode_pass(reader, 0, decoders.back()));
    branches.push_back({nullptr, reader.fork(0, 200)});
  }
  for (std::size_t i = 0; i < branches.size(); ++i) branches[i].decoder = &decoders[i];
  std::vector<Branch*> going;
  for (Branch& branch : branches) going.push_back(&branch);
  std::int64_t passes = 0;
  while (!going.empty()) {
    const std::vector<bool> goes_on = decode_pass(*f.model, going);
    std::vector<Branch*> left;
    for (std::size_t i = 0; i < going.size(); ++i)
      if (goes_on[i]) left.push_back(going[i]);
    going = left;
    ASSERT_LT(++passes, 100);
  }
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const Generation& found = decoders[i].generation();
    EXPECT_EQ(found.ids, alone[i].ids);
    EXPECT_EQ(found.draft_log_prob, alone[i].draft_log_prob);
    EXPECT_EQ(found.passes, alone[i].passes);
    EXPECT_EQ(found.computed_tokens, alone[i].computed_tokens);
    EXPECT_TRUE(found.hit_limit);
  }
}

TEST(DecodeGreedy, APassThatFailedMayBeTriedAgain) {
  Fixture f;
  const Generation expected =
      f.run({.max_new_tokens = 20, .eos_ids = {}, .draft = {1, 2, 3}, .decided = {}});
  // Every pass first runs out of memory halfway, then at the head, and succeeds at the third
  // attempt.
  int asked = 0;
  bool reading = true;
  f.model = std::make_shared<ShortOfMemory>(f.model, [&](std::int64_t) {
    if (reading) return false;
    const int now = asked++ % 5;  // fail; pass, fail; pass, pass
    return now == 0 || now == 2;
  });
  PrefixReader reader({f.model}, 200);
  reader.read({f.prompt.begin(), f.prompt.end() - 4});
  reading = false;
  GreedyDecoder decoder({f.prompt.end() - 4, f.prompt.end()},
                        {.max_new_tokens = 20, .eos_ids = {}, .draft = {1, 2, 3}, .decided = {}});
  for (bool goes_on = true; goes_on;) {
    EXPECT_THROW(decode_pass(reader, 0, decoder), std::bad_alloc);
    EXPECT_THROW(decode_pass(reader, 0, decoder), std::bad_alloc);
    goes_on = decode_pass(reader, 0, decoder);
  }
  EXPECT_EQ(decoder.generation().ids, expected.ids);
  EXPECT_EQ(decoder.generation().draft_log_prob, expected.draft_log_prob);
}

TEST(DecodeGreedy, LongDraftsAreScoredWhole) {
  Fixture f;
  std::vector<std::int64_t> draft;
  for (std::int64_t i = 0; i < 41; ++i) draft.push_back(i * 37 % 256);
  const Generation out =
      f.run({.max_new_tokens = 50, .eos_ids = {}, .draft = draft, .decided = {}});
  // Compare with one pass over everything.
  std::vector<std::int64_t> ids = f.prompt;
  ids.insert(ids.end(), draft.begin(), draft.end() - 1);
  State state(f.model->num_layers());
  const at::Tensor logits =
      f.model->forward_rows(as_sequence(ids), state, 41).squeeze(0).to(at::kDouble);
  double log_prob = 0;
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < 41; ++i) {
    const std::int64_t token = draft[static_cast<std::size_t>(i)];
    log_prob += at::log_softmax(logits[i], 0)[token].item<double>();
    rank = std::max(rank, logits[i].gt(logits[i][token]).sum().item<std::int64_t>() + 1);
  }
  EXPECT_NEAR(*out.draft_log_prob, log_prob, 1e-3);
  EXPECT_NEAR(static_cast<double>(*out.draft_rank), static_cast<double>(rank), 1);
}

}  // namespace
}  // namespace niah::models
