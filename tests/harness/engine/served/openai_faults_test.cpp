// How the engine handles faulty answers of a server.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/base/error.h"
#include "tests/harness/engine/served/served_engine_fixture.h"

namespace niah::served {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A transient fault, and the words reported if every try meets it.
struct Fault {
  const char* name;
  std::function<Reply(const SeenRequest&)> reply;
  const char* words;
  bool takes_all_time = false;
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

Reply good(const SeenRequest& seen) { return GoodServer{}(seen); }

std::vector<Fault> faults() {
  const auto always = [](Reply reply) { return [reply](const SeenRequest&) { return reply; }; };
  const std::string begun =
      json_event({{"choices", json::array({{{"index", 0}, {"text", " The"}}})}});
  return {
      {"closed", always(closes_at_once()), ""},
      {"garbage", always(garbage()), ""},
      {"dropped", [](const SeenRequest& seen) { return cut_after(300, good(seen)); }, ""},
      {"reset", [](const SeenRequest& seen) { return cut_after(300, good(seen), Ending::kReset); },
       ""},
      {"stalled",
       [](const SeenRequest& seen) { return cut_after(300, good(seen), Ending::kStall); }, "",
       true},
      {"silent", always(stalls_at_once()), "", true},
      {"ended_in_the_middle", always(event_reply({begun})), "it ended before the answer did"},
      {"half_json", always(event_reply({begun, "data: {\"choices\": [{\"te\n\n"})),
       "no whole JSON"},
      {"half_document", always(text_reply("{\"choices\": [{\"te", 200, "application/json")),
       "no whole JSON"},
      {"page", always(text_reply("<html>busy</html>", 200, "text/html")), "<html>busy</html>"},
      {"empty", always(text_reply("")), "there is no answer in it"},
      {"error_in_200", always(json_reply({{"error", "engine died"}})), "engine died"},
      {"error_in_stream",
       always(event_reply({begun, json_event(openai_error("engine died", "x", 500))})),
       "engine died"},
      {"unavailable", always(text_reply("loading", 503)), "503: loading"},
      {"internal", always(json_reply(openai_error("CUDA", "x", 500), 500)), "500: CUDA"},
      {"timeout", always(text_reply("", 408)), "408"},
      {"too_many", always(too_many("0")), "429: Rate limit reached"},
      {"endless",
       [begun](const SeenRequest&) {
         Reply reply = event_reply({begun});
         reply.ending = Ending::kEndless;
         return reply;
       },
       "it goes on after the 50 tokens"},
      {"endless_line",
       [](const SeenRequest&) {
         Reply reply = event_reply({"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"});
         reply.pieces.front().bytes = std::string(50'000, 'x');
         reply.ending = Ending::kEndless;
         return reply;
       },
       ""},
  };
}

class FaultTest : public ServedEngineTest, public testing::WithParamInterface<Fault> {};

TEST_P(FaultTest, IsTriedAgain) {
  serve([](const SeenRequest& seen) {
    return seen.number == 0 ? GetParam().reply(seen) : good(seen);
  });
  if (GetParam().takes_all_time) config_.timeout = 2;
  const Answer answer = ask_one();
  EXPECT_FALSE(answer.failure) << answer.failure->detail;
  EXPECT_THAT(answer.text, HasSubstr(kValue));
  EXPECT_EQ(server().requests().size(), 2U);
}

TEST_P(FaultTest, HasAnEndAndAReason) {
  serve([](const SeenRequest& seen) { return GetParam().reply(seen); });
  if (GetParam().takes_all_time) config_.timeout = 0.2;
  config_.retries = 1;
  const Answer answer = ask_one();
  ASSERT_TRUE(answer.failure);
  EXPECT_EQ(answer.failure->outcome, "failed");
  EXPECT_FALSE(answer.failure->is_worth_another_try);
  EXPECT_THAT(answer.failure->detail, HasSubstr(GetParam().words));
  EXPECT_THAT(answer.failure->detail, HasSubstr("(tried 2 times)"));
  EXPECT_EQ(answer.failure->detail.find('\n'), std::string::npos);
  EXPECT_EQ(server().requests().size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(OpenAiEngine, FaultTest, testing::ValuesIn(faults()),
                         [](const auto& test) { return std::string(test.param.name); });

/// Unusual but valid ways to answer.
class OddityTest : public ServedEngineTest, public testing::WithParamInterface<Fault> {};

TEST_P(OddityTest, IsAnAnswer) {
  serve([](const SeenRequest& seen) { return GetParam().reply(seen); });
  if (GetParam().takes_all_time) config_.timeout = 2;
  const Answer answer = ask_one();
  ASSERT_FALSE(answer.failure) << answer.failure->detail;
  EXPECT_THAT(answer.text, HasSubstr(GetParam().words));
  EXPECT_EQ(server().requests().size(), 1U);
}

Said said(const SeenRequest& seen, const std::string& text) {
  return {.text = text, .prompt_tokens = std::ssize(seen.json["prompt"])};
}

INSTANTIATE_TEST_SUITE_P(
    OpenAiEngine, OddityTest,
    testing::Values(
        Fault{"whole", [](const auto& seen) { return completion_json(said(seen, "1234567")); },
              "1234567"},
        Fault{"gzip", [](const auto& seen) { return gzipped(good(seen)); }, "1234567"},
        Fault{"byte_by_byte",
              [](const auto& seen) {
                return in_pieces_of(1, completion_stream(said(seen, " naïve 😀 1234567")));
              },
              " naïve 😀 1234567"},
        Fault{"stalls_after_its_end",
              [](const auto& seen) {
                Reply reply = good(seen);
                reply.ending = Ending::kStall;
                return reply;
              },
              "1234567", true},
        Fault{"spells_out_its_end",
              [](const auto& seen) { return completion_stream(said(seen, "1234567<|im_end|>")); },
              "1234567"},
        Fault{"no_words", [](const auto& seen) { return completion_stream(said(seen, "")); }, ""}),
    [](const auto& test) { return std::string(test.param.name); });

using OpenAiFaultsTest = ServedEngineTest;

TEST_F(OpenAiFaultsTest, A4xxEndsTheListInTheServersWords) {
  serve([](const SeenRequest& seen) {
    return seen.number == 0 ? good(seen) : json_reply(llama_cpp_too_long(9000, 4096), 400);
  });
  config_.concurrency = 1;
  const std::vector<Answer> answers = ask(requests(5));
  EXPECT_FALSE(answers[0].failure);
  for (std::size_t i = 1; i < 5; ++i) {
    ASSERT_TRUE(answers[i].failure);
    EXPECT_EQ(answers[i].failure->outcome, "refused");
    EXPECT_THAT(answers[i].failure->detail,
                HasSubstr("400: the request exceeds the available context size"));
    EXPECT_EQ(answers[i].failure->detail.starts_with("not asked"), i > 1);
  }
  EXPECT_EQ(server().requests().size(), 2U);
  // A new list may have another length, so the server is asked again.
  ask(requests(1));
  EXPECT_EQ(server().requests().size(), 3U);
}

TEST_F(OpenAiFaultsTest, WithoutAValidKeyOrModelNothingIsAsked) {
  for (const int status : {401, 403, 404}) {
    serve([status](const SeenRequest&) {
      return json_reply(openai_error("no such thing", "x", status), status);
    });
    config_.key_env = "THE_KEY";
    OpenAiEngine own(config_, kKey, tokenizer(), {}, quick());
    RequestList list{.group = 0, .requests = requests(1)};
    try {
      own.answer(std::move(list), [](const Answer&) { FAIL(); });
      FAIL() << status;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("no such thing"));
      EXPECT_THAT(error.what(), HasSubstr(server().url()));
      EXPECT_THAT(error.what(), HasSubstr(status == 404 ? "`model`" : "THE_KEY"));
    }
    EXPECT_EQ(server().requests().size(), 1U);
  }
}

TEST_F(OpenAiFaultsTest, ARedirectIsNotFollowed) {
  MisbehavingServer other(good);
  serve([&](const SeenRequest&) { return redirect(other.url() + "/completions"); });
  EXPECT_THAT(error_of_asking(), HasSubstr("sends on to"));
  EXPECT_TRUE(other.requests().empty());
  EXPECT_EQ(server().requests().size(), 1U);
}

TEST_F(OpenAiFaultsTest, WhereNobodyIsNothingIsAsked) {
  serve(good);
  {
    const MisbehavingServer gone(good);
    config_.url = gone.url();
  }
  EXPECT_THAT(error_of_asking(), HasSubstr("no connection"));
  EXPECT_THAT(error_of_asking(), HasSubstr("(tried 3 times)"));
}

TEST_F(OpenAiFaultsTest, LessIsAskedAtOnceOfAServerThatHasTooMuch) {
  std::atomic<int> inside = 0, refused = 0;
  serve([&](const SeenRequest& seen) {
    const int now = ++inside;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    --inside;
    if (now <= 4) return good(seen);
    ++refused;
    return too_many("1");
  });
  config_.concurrency = 16;
  config_.retries = 50;
  for (const Answer& answer : ask(requests(100))) EXPECT_FALSE(answer.failure);
  EXPECT_GT(refused, 0);
}

TEST_F(OpenAiFaultsTest, NothingBeginsBeforeTheServerSaysSo) {
  using Clock = std::chrono::steady_clock;
  std::mutex lock;
  std::vector<Clock::time_point> times;
  serve([&](const SeenRequest& seen) {
    const std::lock_guard guard(lock);
    times.push_back(Clock::now());
    return seen.number == 0 ? too_many("1") : good(seen);
  });
  pace_.longest_retry_after = 0.2;
  config_.concurrency = 1;
  for (const Answer& answer : ask(requests(3))) EXPECT_FALSE(answer.failure);
  ASSERT_EQ(times.size(), 4U);
  EXPECT_GE(times[1] - times[0], std::chrono::milliseconds(190));
}

/// The text as JSON escapes may also spell it.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  return out;
}

TEST_F(OpenAiFaultsTest, TheKeyIsInNoMessage) {
  std::vector<std::string> shown;
  const auto keep = [&](const Answer& answer) {
    shown.push_back(answer.text + (answer.failure ? answer.failure->detail : ""));
  };
  const std::string key = kKey;
  const std::vector<Reply> replies = {
      json_reply(openai_error("bad key " + key, "x", 400), 400),
      json_reply(openai_error(std::string(290, 'x') + key, "x", 500), 500),
      text_reply("<p>" + std::string(70, 'x') + key, 200), text_reply("{\"error\": \"" + key),
      json_reply({{"error", "Bearer " + key}}),
      // With the key escaped, and just before the point where a long text is cut.
      text_reply("{\"error\": \"" + std::string(290, 'x') + escaped(key) + "\"}", 500),
      text_reply("{\"choices\": [{\"text\": \"" + escaped(key) +
                     "\", \"finish_reason\": \"stop\"}], \"usage\": {\"prompt_tokens\": " +
                     std::to_string(size_of(request())) + "}}",
                 200),
      event_reply({event("{\"choices\": [{\"" + key)}),
      completion_stream({.text = "Your key is " + key, .prompt_tokens = size_of(request())})};
  for (const Reply& reply : replies) {
    serve([reply](const SeenRequest&) { return reply; });
    config_.prompts = "ids";
    config_.retries = 0;
    OpenAiEngine own(
        config_, kKey, tokenizer(), [&](const std::string& text) { shown.push_back(text); },
        quick());
    own.answer({.group = 0, .requests = requests(1)}, keep);
  }
  serve([&](const SeenRequest&) { return json_reply(openai_error(key, "x", 401), 401); });
  shown.push_back(error_of_asking());
  EXPECT_EQ(shown.size(), replies.size() + 1);
  for (const std::string& text : shown) {
    EXPECT_THAT(text, Not(HasSubstr(key.substr(0, 10))));
    EXPECT_THAT(text, HasSubstr("***"));
  }
}

TEST_F(OpenAiFaultsTest, AnotherModelOnTheWayIsSaid) {
  config_.concurrency = 1;
  serve([](const SeenRequest& seen) {
    GoodServer server;
    server.model = seen.number < 2 ? "m-1" : "m-2";
    return server(seen);
  });
  ask(requests(5));
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("the model 'm-1' and now have 'm-2'")));
}

TEST_F(OpenAiFaultsTest, ANameOfAModelDoesNotSayTheKey) {
  config_.concurrency = 1;
  serve([](const SeenRequest& seen) {
    Said said{.text = " 1234567.", .prompt_tokens = std::ssize(seen.json["prompt"])};
    said.model = seen.number == 0 ? "m" : kKey;
    return completion_stream(said);
  });
  const std::vector<Answer> answers = ask(requests(2));
  EXPECT_EQ(answers.at(1).answered_by, "***");
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("now have '***'")));
}

TEST_F(OpenAiFaultsTest, AWordOfTheServersIsOneShortLine) {
  serve([](const SeenRequest&) {
    return json_reply(openai_error("a\n\x1b[31m" + std::string(10'000, 'x'), "x", 400), 400);
  });
  config_.prompts = "ids";
  const std::string detail = ask_one().failure.value().detail;
  EXPECT_LT(detail.size(), 400U);
  EXPECT_THAT(detail, HasSubstr("a\\n\\x1b[31m"));
}

}  // namespace
}  // namespace niah::served
