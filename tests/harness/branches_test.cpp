#include "harness/run/branches.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>

#include "models/registry.h"
#include "tests/models/short_of_memory.h"
#include "tests/paths.h"

namespace niah {
namespace {

/// A tiny model with random weights, which goes on for ever, and questions of different lengths.
class BranchesOf : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    torch::manual_seed(11);
    for (std::int64_t i = 0; i < 30; ++i) {
      const at::Tensor drawn = torch::randint(128, {20 + 5 * i}, at::kLong);
      Question question;
      question.ids.assign(drawn.const_data_ptr<std::int64_t>(),
                          drawn.const_data_ptr<std::int64_t>() + drawn.numel());
      question.blank.index = i;
      question.blank.expected = {"7654321"};
      question.prompt = [] { return std::string(); };
      question.max_new_tokens = 20 + i;
      questions.push_back(std::move(question));
    }
  }

  /// Records by index, without their times; `budget`: bytes for branches.
  std::map<std::int64_t, reports::Record> ask_all(std::int64_t budget) {
    std::map<std::int64_t, reports::Record> records;
    const auto keep = [&](Asking& asking) {
      reports::Record record = asking.record();
      EXPECT_GE(record.seconds, 0);
      record.seconds = 0;
      EXPECT_TRUE(records.emplace(record.index, record).second) << "asked twice";
    };
    models::Reader reader({model}, 200);
    Branches branches({model}, 200, budget, keep);
    const models::Reader::Point start = reader.mark();
    apart = 0;
    for (const Question& question : questions) {
      reader.rewind(start);
      const TokenIds prompt(question.ids.begin(), question.ids.end());
      reader.read({prompt.begin(), prompt.end() - 1});
      auto asking =
          std::make_unique<Asking>(question, "f", std::vector<std::int64_t>{}, prompt, *tokenizer);
      bool goes_on = true;
      while (goes_on && !branches.pays(reader, 0, *asking)) goes_on = asking->pass(reader, 0);
      if (!goes_on) {
        keep(*asking);
        continue;
      }
      EXPECT_TRUE(branches.add(reader, 0, asking));
      ++apart;
      state_bytes = std::max(state_bytes, reader.fork_bytes(0));
    }
    is_finishing = true;
    branches.finish_all();
    is_finishing = false;
    return records;
  }

  std::shared_ptr<models::CausalLM> model =
      models::load_model(std::filesystem::path(NIAH_TEST_DATA) / "models" / GetParam(), at::kFloat);
  std::shared_ptr<const models::Tokenizer> tokenizer =
      models::open_tokenizer(NIAH_SOURCE_DIR "/models/zoo/tokenizer");
  std::vector<Question> questions;
  std::int64_t apart = 0;        ///< questions that were decoded apart
  std::int64_t state_bytes = 0;  ///< of one of them
  bool is_finishing = false;     ///< all texts are read, answers go on apart
};

TEST_P(BranchesOf, AnswersAreThoseOfOneAtATime) {
  const auto alone = ask_all(0);
  EXPECT_EQ(apart, 0);
  ASSERT_EQ(alone.size(), questions.size());
  // Room for as many as may go together, and for two.
  for (const bool much : {true, false}) {
    const std::int64_t budget = much ? std::int64_t{1} << 30 : 2 * state_bytes;
    const auto together = ask_all(budget);
    EXPECT_GE(apart, 3);
    EXPECT_EQ(nlohmann::json(together), nlohmann::json(alone)) << budget;
  }
}

TEST_P(BranchesOf, WhatDoesNotFitTogetherIsAskedAlone) {
  const auto alone = ask_all(0);
  model = std::make_shared<models::ShortOfMemory>(
      model, [](std::int64_t sequences) { return sequences > 1; });
  const auto apart_but_alone = ask_all(std::int64_t{1} << 30);
  EXPECT_GE(apart, 3);
  EXPECT_EQ(nlohmann::json(apart_but_alone), nlohmann::json(alone));
}

TEST_P(BranchesOf, OnlyWhatDoesNotFitAloneEndsForMemory) {
  std::int64_t asked_alone = 0;
  model = std::make_shared<models::ShortOfMemory>(model, [&](std::int64_t sequences) {
    if (!is_finishing) return false;
    if (sequences > 1) return true;
    ++asked_alone;  // the last of several is asked alone twice: as a batch of one, then by itself
    return asked_alone == 5 || asked_alone == 6;
  });
  std::int64_t oom = 0;
  const auto records = ask_all(std::int64_t{1} << 30);
  for (const auto& [index, record] : records) oom += record.outcome == "oom" ? 1 : 0;
  EXPECT_GE(oom, 1);
  EXPECT_LE(oom, 2);
  EXPECT_EQ(records.size(), questions.size());
}

INSTANTIATE_TEST_SUITE_P(Architectures, BranchesOf,
                         testing::Values("hypenet-tiny-sharded", "jet-tiny-bf16", "qwen3-tiny"));

TEST(BranchBytes, NothingWhereItDoesNotPayOrFit) {
  EXPECT_EQ(branch_bytes(100, 1000, 1, 10'000), 800);
  EXPECT_EQ(branch_bytes(100, 1000, 3, 10'000), 2400);
  EXPECT_EQ(branch_bytes(100, 1000, 3, 1050), 1000);
  EXPECT_EQ(branch_bytes(100, 1000, 1, 199), 0) << "one alone is no company";
  EXPECT_EQ(branch_bytes(5000, 1000, 1, 1'000'000), 0) << "the text takes the time";
}

}  // namespace
}  // namespace niah
