#include "harness/engine/local/batched_decode.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/short_of_memory.h"
#include "tests/paths.h"

namespace niah {
namespace {

/// The fields of the answers that the request determines, that is all but times.
std::vector<std::tuple<std::size_t, TokenIds, std::string, std::int64_t>> said(
    const std::map<std::size_t, Answer>& answers) {
  std::vector<std::tuple<std::size_t, TokenIds, std::string, std::int64_t>> all;
  for (const auto& [request, answer] : answers)
    all.emplace_back(request, answer.ids, answer.text, answer.computed_tokens);
  return all;
}

/// A tiny model with random weights, which never ends an answer, and prompts of different lengths.
class BatchedDecodeOf : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    torch::manual_seed(11);
    for (std::int64_t i = 0; i < 30; ++i) {
      const at::Tensor drawn = torch::randint(128, {20 + 5 * i}, at::kLong);
      Request request;
      request.ids.assign(drawn.const_data_ptr<std::int64_t>(),
                         drawn.const_data_ptr<std::int64_t>() + drawn.numel());
      request.max_new_tokens = 20 + i;
      requests.push_back(std::move(request));
    }
  }

  /// Answers by request; `budget` is the memory for batches in bytes.
  std::map<std::size_t, Answer> ask_all(std::int64_t budget) {
    std::map<std::size_t, Answer> answers;
    const auto keep = [&](const DecodeSession& session) {
      Answer answer = session.answer();
      EXPECT_GE(answer.seconds, 0);
      answer.seconds = 0;
      EXPECT_TRUE(answers.emplace(answer.id.request, answer).second) << "asked twice";
    };
    models::PrefixReader reader({model}, 200);
    BatchedDecode batch({model}, 200, budget, keep);
    const models::PrefixReader::Snapshot start = reader.mark();
    apart = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      reader.rewind(start);
      const TokenIds prompt(requests[i].ids.begin(), requests[i].ids.end());
      reader.read({prompt.begin(), prompt.end() - 1});
      auto session = std::make_unique<DecodeSession>(AnswerId{i, 0}, requests[i], TokenIds{},
                                                     prompt, *tokenizer);
      bool goes_on = true;
      while (goes_on && !batch.pays(reader, 0, *session)) goes_on = session->pass(reader, 0);
      if (!goes_on) {
        keep(*session);
        continue;
      }
      EXPECT_TRUE(batch.add(reader, 0, session));
      ++apart;
      state_bytes = std::max(state_bytes, reader.fork_bytes(0));
    }
    is_finishing = true;
    batch.finish_all();
    is_finishing = false;
    return answers;
  }

  std::shared_ptr<models::CausalLM> model =
      models::load_model(std::filesystem::path(NIAH_TEST_DATA) / "models" / GetParam(), at::kFloat);
  std::shared_ptr<const models::Tokenizer> tokenizer =
      models::open_tokenizer(NIAH_SOURCE_DIR "/models/zoo/tokenizer");
  std::vector<Request> requests;
  std::int64_t apart = 0;        ///< answers handed to the batch
  std::int64_t state_bytes = 0;  ///< of the largest sequence
  bool is_finishing = false;     ///< all texts are read, the batch is being finished
};

TEST_P(BatchedDecodeOf, AnswersAreThoseOfOneAtATime) {
  const auto alone = ask_all(0);
  EXPECT_EQ(apart, 0);
  ASSERT_EQ(alone.size(), requests.size());
  // Memory for all that may be batched, and for two.
  for (const bool much : {true, false}) {
    const std::int64_t budget = much ? std::int64_t{1} << 30 : 2 * state_bytes;
    const auto together = ask_all(budget);
    EXPECT_GE(apart, 3);
    EXPECT_EQ(said(together), said(alone)) << budget;
  }
}

TEST_P(BatchedDecodeOf, WhatDoesNotFitTogetherIsAskedAlone) {
  const auto alone = ask_all(0);
  model = std::make_shared<models::ShortOfMemory>(
      model, [](std::int64_t sequences) { return sequences > 1; });
  const auto apart_but_alone = ask_all(std::int64_t{1} << 30);
  EXPECT_GE(apart, 3);
  EXPECT_EQ(said(apart_but_alone), said(alone));
}

TEST_P(BatchedDecodeOf, OnlyWhatDoesNotFitAloneEndsForMemory) {
  std::int64_t asked_alone = 0;
  model = std::make_shared<models::ShortOfMemory>(model, [&](std::int64_t sequences) {
    if (!is_finishing) return false;
    if (sequences > 1) return true;
    ++asked_alone;  // the last sequence runs alone twice: as a batch of one, then by itself
    return asked_alone == 5 || asked_alone == 6;
  });
  std::int64_t oom = 0;
  const auto answers = ask_all(std::int64_t{1} << 30);
  for (const auto& [index, answer] : answers)
    oom += answer.failure && answer.failure->outcome == "oom" ? 1 : 0;
  EXPECT_GE(oom, 1);
  EXPECT_LE(oom, 2);
  EXPECT_EQ(answers.size(), requests.size());
}

INSTANTIATE_TEST_SUITE_P(Architectures, BatchedDecodeOf,
                         testing::Values("hypenet-tiny-sharded", "jet-tiny-bf16", "qwen3-tiny"));

TEST(BatchBytes, NothingWhereItDoesNotPayOrFit) {
  EXPECT_EQ(batch_bytes(100, 1000, 1, 10'000), 800);
  EXPECT_EQ(batch_bytes(100, 1000, 3, 10'000), 2400);
  EXPECT_EQ(batch_bytes(100, 1000, 3, 1050), 1000);
  EXPECT_EQ(batch_bytes(100, 1000, 1, 199), 0) << "one alone is no company";
  EXPECT_EQ(batch_bytes(5000, 1000, 1, 1'000'000), 0) << "the text takes the time";
}

}  // namespace
}  // namespace niah
