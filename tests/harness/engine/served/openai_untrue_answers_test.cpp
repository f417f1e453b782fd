// Replies that look like answers but do not show the model's recall.
#include <gmock/gmock.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/harness/engine/served/served_engine_fixture.h"

namespace niah::served {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

using OpenAiUntrueAnswersTest = ServedEngineTest;

TEST_F(OpenAiUntrueAnswersTest, CountsThatNoPromptHasAreNotBelieved) {
  serve([](const SeenRequest& seen) {
    json whole = json::parse(
        completion_json({.text = " 1234567.", .prompt_tokens = std::ssize(seen.json["prompt"])})
            .pieces.front()
            .bytes);
    whole["usage"]["completion_tokens"] = std::numeric_limits<std::int64_t>::max();
    return json_reply(whole);
  });
  const Answer answer = ask_one();
  EXPECT_FALSE(answer.failure);
  EXPECT_EQ(answer.computed_tokens, size_of(request()) + 9);
}

TEST_F(OpenAiUntrueAnswersTest, APromptThatIsSentBackIsNoAnswer) {
  Request asked = request();
  const std::string prompt =
      "Remember it. " + std::string(120, 'y') + " The value is 1234567. What is it?";
  asked.ids.assign(prompt.begin(), prompt.end());
  asked.text = [prompt] { return prompt; };
  const auto says = [&](const std::string& text, std::int64_t room) {
    serve([=](const SeenRequest& seen) {
      return completion_stream({.text = text, .prompt_tokens = std::ssize(seen.json["prompt"])});
    });
    asked.max_new_tokens = room;
    OpenAiEngine own(
        config_, kKey, tokenizer(), [](const std::string&) {}, quick());
    std::string outcome = "scored";
    own.answer({.group = 0, .requests = {asked}}, [&](const Answer& answer) {
      if (answer.failure) outcome = answer.failure->outcome + ": " + answer.failure->detail;
    });
    return outcome;
  };
  EXPECT_EQ(says(" 1234567.", 50), "scored");
  EXPECT_THAT(says(prompt + " I do not know.", 500), HasSubstr("begins as the prompt does"));
  EXPECT_THAT(says(std::string(200, 'z') + " 1234567", 50), HasSubstr("tokens where 50 were"));
}

TEST_F(OpenAiUntrueAnswersTest, AContextThatIsFullIsSeenWithoutACount) {
  const auto outcome_of = [&](const std::string& text) {
    Said said{.text = text, .prompt_tokens = 9, .finish_reason = "length", .has_usage = false};
    serve([said](const SeenRequest&) { return completion_stream(said); });
    OpenAiEngine own(
        config_, kKey, tokenizer(), [](const std::string&) {}, quick());
    std::string outcome = "scored";
    own.answer({.group = 0, .requests = requests(1)}, [&](const Answer& answer) {
      if (answer.failure) outcome = answer.failure->outcome;
    });
    return outcome;
  };
  EXPECT_EQ(outcome_of(" the"), "cut");
  EXPECT_EQ(outcome_of(std::string(50, 'x')), "scored");
}

TEST_F(OpenAiUntrueAnswersTest, WhatIsGivenInPlaceOfAnAnswerIsNoMiss) {
  config_.api = "chat";
  config_.retries = 0;
  const json refused = {{"message", {{"content", nullptr}, {"refusal", "I must not"}}},
                        {"finish_reason", "stop"}};
  const json called = {{"message", {{"content", nullptr}, {"tool_calls", {{{"id", "1"}}}}}},
                       {"finish_reason", "tool_calls"}};
  const json filtered = {{"message", {{"content", "The"}}}, {"finish_reason", "SAFETY"}};
  for (const auto& [choice, words] : {std::pair{refused, "refusal in its place: I must not"},
                                      {called, "calls a tool"},
                                      {filtered, "finish_reason 'SAFETY'"}}) {
    serve([choice = choice](const SeenRequest&) {
      return json_reply({{"choices", json::array({choice})}, {"usage", usage(90, 1)}});
    });
    OpenAiEngine own(
        config_, kKey, tokenizer(), [](const std::string&) {}, quick());
    own.answer({.group = 0, .requests = requests(1)}, [&, words = words](const Answer& answer) {
      ASSERT_TRUE(answer.failure) << words;
      EXPECT_EQ(answer.failure->outcome, "failed");
      EXPECT_THAT(answer.failure->detail, HasSubstr(words));
    });
  }
}

TEST_F(OpenAiUntrueAnswersTest, ASecondAnswerThatIsNoneIsSaid) {
  config_.cache_probe = 1;
  config_.concurrency = 1;
  serve([](const SeenRequest& seen) {
    if (seen.number % 2 == 0) return GoodServer{}(seen);
    return json_reply(openai_error("no", "x", 400), 400);
  });
  for (const Answer& answer : ask(requests(2))) {
    EXPECT_FALSE(answer.failure);
    EXPECT_FALSE(answer.same_again);
    EXPECT_THAT(answer.again_failed, HasSubstr("no"));
  }
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("asked again (cache_probe)")));
}

}  // namespace
}  // namespace niah::served
