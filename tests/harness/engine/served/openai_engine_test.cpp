#include "harness/engine/served/openai_engine.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "tests/harness/engine/served/served_engine_fixture.h"

namespace niah::served {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using OpenAiEngineTest = ServedEngineTest;

TEST_F(OpenAiEngineTest, SendsIdsAndTakesWhatComes) {
  serve(GoodServer{});
  Request asked = request();
  asked.is_decided = nullptr;
  const Answer answer = ask_one(asked);
  EXPECT_FALSE(answer.failure);
  EXPECT_EQ(answer.text, " The answer is 1234567.");
  EXPECT_FALSE(answer.hit_limit);
  EXPECT_EQ(answer.computed_tokens, size_of(asked) + 8);
  EXPECT_GT(answer.seconds, 0);
  EXPECT_FALSE(answer.log_prob);
  EXPECT_FALSE(answer.same_again);
  const SeenRequest seen = server().requests().front();
  EXPECT_EQ(seen.path, "/v1/completions");
  EXPECT_EQ(seen.json["prompt"].size(), asked.ids.size());
  EXPECT_EQ(seen.json["max_tokens"], 50);
  EXPECT_EQ(seen.json["stop"], json::parse(R"(["<|im_end|>"])"));
  EXPECT_EQ(seen.json["stop_token_ids"], json::parse("[257]"));
  EXPECT_EQ(seen.header("authorization"), std::string("Bearer ") + kKey);
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(OpenAiEngineTest, SaysWhatItCan) {
  serve(GoodServer{});
  config_.log_probs = "echo";
  const Capabilities can = engine().capabilities();
  EXPECT_TRUE(can.takes_token_ids);
  EXPECT_TRUE(can.gives_log_probs);
  EXPECT_FALSE(can.shares_prefixes);
  EXPECT_FALSE(can.is_deterministic);
  EXPECT_FALSE(can.uses_own_memory);
  EXPECT_EQ(can.lists_at_once, 2);
  EXPECT_EQ(engine().activity(), "0 in flight, 0 tokens/s");
}

TEST_F(OpenAiEngineTest, AnAnswerWithoutMoreRoomHitTheLimit) {
  serve(GoodServer{.text = [](const SeenRequest&) { return std::string(900, 'x'); }});
  EXPECT_TRUE(ask_one().hit_limit);
}

TEST_F(OpenAiEngineTest, AnAnswerThatTheContextHadNoRoomForIsNoMiss) {
  serve([](const SeenRequest& seen) {
    return completion_stream({.text = " 12345",
                              .prompt_tokens = std::ssize(seen.json["prompt"]),
                              .finish_reason = "length"});
  });
  const Answer answer = ask_one();
  ASSERT_TRUE(answer.failure);
  EXPECT_EQ(answer.failure->outcome, "cut");
  EXPECT_THAT(answer.failure->detail, HasSubstr("after 2 of 50 tokens: its context is full"));
  EXPECT_EQ(answer.text, "");
}

TEST_F(OpenAiEngineTest, MoreFieldsAreSentWithEveryRequest) {
  serve(GoodServer{});
  config_.extra_body = R"({"min_p": 0})";
  ask_one();
  EXPECT_EQ(server().requests().front().json["min_p"], 0);
}

TEST_F(OpenAiEngineTest, ThoughtAndAnswerShareTheLimitThatAServerKnows) {
  serve(GoodServer{});
  Request asked = request();
  asked.max_thinking_tokens = 100;
  ask_one(asked);
  EXPECT_EQ(server().requests().front().json["max_tokens"], 150);
}

TEST_F(OpenAiEngineTest, AStreamIsClosedWhenItIsDecided) {
  GoodServer endless;
  endless.text = [](const SeenRequest&) { return " 1234567" + std::string(900, 'x'); };
  endless.pause = std::chrono::milliseconds(1);
  serve(endless);
  Request asked = request();
  asked.max_new_tokens = 1000;
  // The first stream is read until the server reports how many prompt tokens it read.
  const Answer first = ask_one(asked);
  EXPECT_EQ(server().left_early(), 0U);
  const Answer second = ask_one(asked);
  for (const Answer& answer : {first, second}) {
    EXPECT_TRUE(answer.text.starts_with(" 1234567"));
    EXPECT_LT(answer.text.size(), 100U);
    EXPECT_FALSE(answer.hit_limit);
  }
  // Prompts of this length are now known to be read whole, so the second stream is closed early.
  for (int i = 0; i < 1000 && server().left_early() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(server().left_early(), 1U);
}

TEST_F(OpenAiEngineTest, AServerThatRefusesIdsIsAskedByText) {
  config_.concurrency = 1;
  serve([good = GoodServer{}](const SeenRequest& seen) {
    if (seen.json["prompt"].is_string()) return good(seen);
    return json_reply(openai_error("prompt must be a string", "x", 422), 422);
  });
  EXPECT_TRUE(engine().capabilities().takes_token_ids);
  for (const Answer& answer : ask(requests(3))) EXPECT_FALSE(answer.failure);
  EXPECT_EQ(server().requests().size(), 4U);
  EXPECT_FALSE(engine().capabilities().takes_token_ids);
  EXPECT_EQ(server().requests().back().json["prompt"], request("2").text());
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("prompt must be a string")));
}

TEST_F(OpenAiEngineTest, AnErrorThatIsNotOfTheIdsDoesNotChangeHowPromptsAreSent) {
  config_.concurrency = 1;
  serve([good = GoodServer{}](const SeenRequest& seen) {
    if (seen.number < 2) return json_reply(llama_cpp_too_long(9000, 4096), 400);
    return good(seen);
  });
  EXPECT_EQ(ask_one().failure.value().outcome, "refused");
  EXPECT_FALSE(ask_one().failure);
  EXPECT_TRUE(server().requests().back().json["prompt"].is_array());
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(OpenAiEngineTest, WhoWantsIdsOrTextGetsThem) {
  config_.prompts = "text";
  serve(GoodServer{});
  EXPECT_FALSE(engine().capabilities().takes_token_ids);
  EXPECT_FALSE(ask_one().failure);
  EXPECT_TRUE(server().requests().back().json["prompt"].is_string());
}

TEST_F(OpenAiEngineTest, AChatGetsTheQuestionAndTheBeginningOfTheAnswer) {
  config_.api = "chat";
  serve(GoodServer{.prompt_tokens = [](const SeenRequest&) { return 500; }});
  Request asked = request();
  asked.question = [] { return std::string("What is the value?"); };
  asked.system = "Be brief.";
  asked.answer_prefix = "The value is";
  EXPECT_TRUE(ask_one(asked).text.starts_with(" The answer is 1234567"));
  const SeenRequest seen = server().requests().front();
  EXPECT_EQ(seen.path, "/v1/chat/completions");
  EXPECT_EQ(seen.json["messages"], json::parse(R"([{"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the value?"},
    {"role": "assistant", "content": "The value is"}])"));
  EXPECT_EQ(seen.json["continue_final_message"], true);
}

/// The outcome of an answer, given the server's count of prompt tokens.
struct Counted {
  const char* api;
  const char* prompts;
  std::int64_t more;    ///< how many tokens the server's count exceeds the prompt's by
  const char* outcome;  ///< "" if there is no failure
  int warnings = 0;
};

void PrintTo(const Counted& counted, std::ostream* out) {
  *out << counted.api << ", " << counted.prompts << ", " << counted.more << " more";
}

class CountTest : public ServedEngineTest, public testing::WithParamInterface<Counted> {};

TEST_P(CountTest, TellsWhetherThePromptWasReadWhole) {
  const Counted& counted = GetParam();
  config_.api = counted.api;
  config_.prompts = counted.prompts;
  const Request asked = request();
  serve(GoodServer{
      .prompt_tokens = [&](const SeenRequest&) { return size_of(asked) + counted.more; }});
  const Answer answer = ask_one(asked);
  EXPECT_EQ(answer.failure ? answer.failure->outcome : "", counted.outcome);
  if (answer.failure) {
    EXPECT_THAT(answer.failure->detail, HasSubstr(std::to_string(size_of(asked) + counted.more)));
    EXPECT_THAT(answer.failure->detail, HasSubstr(std::to_string(size_of(asked))));
    EXPECT_EQ(answer.text, "");
  }
  EXPECT_EQ(warnings().size(), static_cast<std::size_t>(counted.warnings));
}

INSTANTIATE_TEST_SUITE_P(
    OpenAiEngine, CountTest,
    testing::Values(Counted{"completions", "ids", -1, "cut"}, Counted{"completions", "ids", 0, ""},
                    Counted{"completions", "ids", 1, "failed"},
                    Counted{"completions", "text", -2, "cut"},
                    Counted{"completions", "text", -1, ""}, Counted{"completions", "text", 1, ""},
                    Counted{"completions", "text", 2, "", 1}, Counted{"chat", "auto", -1, "cut"},
                    Counted{"chat", "auto", 0, ""}, Counted{"chat", "auto", 30, ""}));

TEST_F(OpenAiEngineTest, AServerThatDoesNotCountIsSaidToBeOne) {
  Said said{.text = " 1234567", .has_usage = false};
  serve([said](const SeenRequest&) { return completion_stream(said); });
  for (const Answer& answer : ask(requests(3))) {
    EXPECT_FALSE(answer.failure);
    EXPECT_EQ(answer.computed_tokens, size_of(request()) + 8);
  }
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("does not say how many tokens it read")));
}

TEST_F(OpenAiEngineTest, ALogProbabilityIsAskedForByItself) {
  config_.log_probs = "prompt_logprobs";
  config_.retries = 2;
  std::vector<LoggedToken> logged;
  Request asked = request();
  for (const std::int32_t id : asked.ids) logged.push_back({id, "x", -5, 5});
  for (const std::int64_t id : asked.expected_ids)
    logged.push_back({id, "x", -0.5, id == ' ' ? 2 : 1});
  serve([logged, good = GoodServer{}](const SeenRequest& seen) {
    if (seen.json.value("stream", false)) return good(seen);
    if (seen.number == 1) return text_reply("busy", 503);
    return json_reply(
        {{"choices", json::array({{{"text", "!"}, {"prompt_logprobs", prompt_logprobs(logged)}}})},
         {"usage", usage(static_cast<std::int64_t>(logged.size()), 1)}});
  });
  const Answer answer = ask_one(asked);
  EXPECT_DOUBLE_EQ(answer.log_prob.value(), -4);
  EXPECT_EQ(answer.rank, 2);
  EXPECT_EQ(server().requests().size(), 3U);
  EXPECT_EQ(server().requests().back().json["prompt_logprobs"], 1);
  EXPECT_THAT(warnings(), IsEmpty());
  asked.expected_ids.clear();
  EXPECT_FALSE(ask_one(asked).log_prob);
}

TEST_F(OpenAiEngineTest, ALogProbabilityThatIsNotToldIsLeftOut) {
  config_.log_probs = "echo";
  config_.concurrency = 1;
  serve([good = GoodServer{}](const SeenRequest& seen) {
    if (seen.json.value("stream", false)) return good(seen);
    return json_reply(openai_error("echo is not supported", "x", 400), 400);
  });
  for (const Answer& answer : ask(requests(3))) {
    EXPECT_FALSE(answer.failure);
    EXPECT_FALSE(answer.log_prob);
  }
  // Echo is not requested again, and the warning is given once.
  EXPECT_EQ(server().requests().size(), 4U);
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("echo is not supported")));
}

TEST_F(OpenAiEngineTest, WhoNeverTellsALogProbabilityIsNotAskedForever) {
  config_.log_probs = "prompt_logprobs";
  config_.concurrency = 1;
  serve([good = GoodServer{}](const SeenRequest& seen) { return good(seen); });
  for (const Answer& answer : ask(requests(6))) EXPECT_FALSE(answer.log_prob);
  EXPECT_EQ(server().requests().size(), 9U);
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("no log-probabilities of the prompt")));
}

TEST_F(OpenAiEngineTest, AShareOfThePromptsIsAskedTwice) {
  config_.cache_probe = 0.5;
  std::atomic<int> asked = 0;
  serve(GoodServer{.text = [&](const SeenRequest& seen) {
    ++asked;
    // Prompts that end in an odd number get a different answer every time.
    const std::int64_t last = seen.json["prompt"].back();
    return last % 2 == 1 ? " " + std::to_string(asked) : std::string(" 1234567");
  }});
  const std::vector<Answer> first = ask(requests(20));
  int twice = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!first[i].same_again) continue;
    ++twice;
    EXPECT_EQ(*first[i].same_again, i % 2 == 0) << i;
  }
  EXPECT_GT(twice, 3);
  EXPECT_LT(twice, 17);
  EXPECT_EQ(server().requests().size(), first.size() + static_cast<std::size_t>(twice));
  const std::vector<Answer> second = ask(requests(20));
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(first[i].same_again.has_value(), second[i].same_again.has_value());
}

TEST_F(OpenAiEngineTest, TheOrderIsThatOfPrefixesOrOfNothing) {
  config_.concurrency = 1;
  const auto order = [&](const std::string& name) {
    config_.order = name;
    serve(GoodServer{});
    std::vector<Request> all;
    for (const char* text : {"ba", "ab", "bb", "aa", "bc", "ac", "bd", "ad"})
      all.push_back(request(text));
    OpenAiEngine own(config_, "", tokenizer(), {}, quick());
    own.answer({.group = 0, .requests = std::move(all)}, [](const Answer&) {});
    std::vector<std::string> seen;
    for (const SeenRequest& one : server().requests()) {
      const auto ids = one.json["prompt"].get<std::vector<int>>();
      seen.emplace_back(ids.end() - 2, ids.end());
    }
    return seen;
  };
  EXPECT_THAT(order("prefix"), ElementsAre("aa", "ab", "ac", "ad", "ba", "bb", "bc", "bd"));
  const std::vector<std::string> shuffled = order("shuffled");
  EXPECT_EQ(std::set<std::string>(shuffled.begin(), shuffled.end()).size(), 8U);
  EXPECT_FALSE(std::is_sorted(shuffled.begin(), shuffled.end()));
  EXPECT_EQ(order("shuffled"), shuffled);
}

TEST_F(OpenAiEngineTest, ARequestThatNoVariantWantsIsNotSent) {
  serve(GoodServer{});
  Request nobody = request();
  nobody.variants.clear();
  EXPECT_EQ(ask_one(nobody).text, "-");
  EXPECT_TRUE(server().requests().empty());
  EXPECT_TRUE(ask({}).empty());
}

}  // namespace
}  // namespace niah::served
