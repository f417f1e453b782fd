#include "harness/engine/local/local_engine.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "models/load_model.h"
#include "models/registry.h"
#include "tests/models/short_of_memory.h"
#include "tests/paths.h"

namespace niah {
namespace {

/// A tiny model as two variants of one group, asked prompts with a common beginning.
class LocalEngineOf : public testing::Test {
 protected:
  std::unique_ptr<LocalEngine> engine(std::int64_t workers) const {
    const ReadCost tokens = [](std::int64_t begin, std::int64_t end) {
      return static_cast<double>(end - begin);
    };
    const LocalSettings settings{
        .chunk = 16, .snapshot_memory = 1 << 20, .answer_memory = 1 << 20, .workers = workers};
    return std::make_unique<LocalEngine>(std::vector<LocalGroup>{{{model, model}, tokens}},
                                         settings, *tokenizer);
  }
  static RequestList requests() {
    RequestList list;
    for (std::int32_t i = 0; i < 12; ++i) {
      Request request{.ids = PromptIds(100, 7)};
      std::fill(request.ids.begin() + 8 * i, request.ids.end(), 20 + i);
      request.max_new_tokens = 4;
      request.variants = {0, 1};
      list.requests.push_back(std::move(request));
    }
    list.requests.back().variants = {1};
    return list;
  }
  /// Asks `list` with `workers` threads; returns the answers by request and variant.
  std::map<std::pair<std::size_t, std::size_t>, Answer> ask(RequestList list,
                                                            std::int64_t workers) {
    std::map<std::pair<std::size_t, std::size_t>, Answer> answers;
    std::mutex lock;
    const auto asked = engine(workers);
    std::stop_source over;
    std::vector<std::jthread> helpers;
    for (std::int64_t i = 1; i < workers; ++i)
      helpers.emplace_back([&] { asked->help(over.get_token()); });
    asked->answer(std::move(list), [&](const Answer& answer) {
      const std::lock_guard guard(lock);
      EXPECT_TRUE(answers.emplace(std::pair(answer.id.request, answer.id.variant), answer).second)
          << "answered twice";
    });
    over.request_stop();
    return answers;
  }

  std::shared_ptr<models::CausalLM> model = models::load_model(
      std::filesystem::path(NIAH_TEST_DATA) / "models" / "qwen3-tiny", at::kFloat);
  std::shared_ptr<const models::Tokenizer> tokenizer =
      models::open_tokenizer(NIAH_SOURCE_DIR "/models/zoo/tokenizer");
};

TEST_F(LocalEngineOf, AnswersWhatIsAskedOnceWhoeverReads) {
  const auto alone = ask(requests(), 1);
  EXPECT_EQ(alone.size(), 23U);
  EXPECT_FALSE(alone.contains({11, 0})) << "only the second variant was asked";
  const auto together = ask(requests(), 3);
  ASSERT_EQ(together.size(), alone.size());
  for (const auto& [id, answer] : alone) {
    EXPECT_FALSE(answer.failure);
    EXPECT_EQ(together.at(id).ids, answer.ids);
    EXPECT_EQ(together.at(id).text, answer.text);
  }
}

TEST_F(LocalEngineOf, PromptsWithoutMemoryAreWorthAnotherTry) {
  model = std::make_shared<models::ShortOfMemory>(model, [](std::int64_t) { return true; });
  const auto answers = ask(requests(), 3);
  EXPECT_EQ(answers.size(), 23U);
  for (const auto& [id, answer] : answers) {
    ASSERT_TRUE(answer.failure);
    EXPECT_EQ(answer.failure->outcome, "oom");
    EXPECT_TRUE(answer.failure->is_worth_another_try);
  }
}

TEST_F(LocalEngineOf, BeginsNothingMoreWhenItIsStopped) {
  std::stop_source stop;
  stop.request_stop();
  RequestList list = requests();
  list.stop = stop.get_token();
  EXPECT_TRUE(ask(std::move(list), 2).empty());
}

TEST_F(LocalEngineOf, WhatTheSinkThrowsEndsTheList) {
  EXPECT_THROW(
      engine(2)->answer(requests(), [](const Answer&) { throw std::runtime_error("full"); }),
      std::runtime_error);
}

}  // namespace
}  // namespace niah
