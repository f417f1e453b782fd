#include "harness/engine/served/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "tests/harness/engine/served/misbehaving_server.h"
#include "tests/harness/engine/served/openai_replies.h"

namespace niah::served {
namespace {

using testing::HasSubstr;
using testing::Not;

ServedConfig config_of(const MisbehavingServer& server, const std::string& model = "m") {
  ServedConfig config;
  config.url = server.url();
  config.model = model;
  config.timeout = 5;
  config.retries = 0;
  return config;
}

std::string why_not(const ServedConfig& config) {
  try {
    identify(config, "key-that-nobody-may-see");
  } catch (const DataError& error) {
    return error.what();
  }
  return "identified";
}

Reply not_found() { return json_reply({{"detail", "Not Found"}}, 404); }

TEST(Identify, AVllm) {
  const MisbehavingServer server(GoodServer{.longest = 4096, .version = "0.32.0"});
  EXPECT_EQ(identify(config_of(server), "some-long-key"),
            (ServerIdentity{"m", "vllm 0.32.0", 4096}));
  EXPECT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.requests().back().path, "/version");
  EXPECT_EQ(server.requests().front().header("authorization"), "Bearer some-long-key");
}

TEST(Identify, ALlamaCppTakesAsMuchAsItWasStartedFor) {
  const MisbehavingServer server([](const SeenRequest& seen) {
    if (seen.path == "/v1/models") return json_reply(llama_cpp_models("m"));
    return seen.path == "/props" ? json_reply(llama_cpp_props(2048, "b4321-abc")) : not_found();
  });
  EXPECT_EQ(identify(config_of(server), ""), (ServerIdentity{"m", "llama.cpp b4321-abc", 2048}));
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(Identify, ALlamaCppThatShowsNoPropertiesTellsWhatASlotTakes) {
  nlohmann::json models = llama_cpp_models("m");
  models["data"][0]["meta"]["n_ctx"] = 1024;
  models["data"][0]["aliases"] = {"other", "mine"};
  const MisbehavingServer server([models](const SeenRequest& seen) {
    return seen.path == "/v1/models" ? json_reply(models) : not_found();
  });
  EXPECT_EQ(identify(config_of(server), ""), (ServerIdentity{"m", "", 1024}));
  EXPECT_EQ(identify(config_of(server, "mine"), ""), (ServerIdentity{"mine", "", 1024}));
  EXPECT_THAT(why_not(config_of(server, "yours")), HasSubstr("it has no 'yours'"));
}

TEST(Identify, OneThatTellsNothing) {
  const MisbehavingServer server([](const SeenRequest&) { return not_found(); });
  EXPECT_EQ(identify(config_of(server), ""), ServerIdentity{});
  const MisbehavingServer page([](const SeenRequest&) { return text_reply("<html>hello</html>"); });
  EXPECT_EQ(identify(config_of(page), ""), ServerIdentity{});
  const MisbehavingServer odd([](const SeenRequest& seen) {
    if (seen.path != "/v1/models") return json_reply({{"version", 7}, {"build_info", nullptr}});
    return json_reply({{"data", {7, {{"id", 7}}, {{"id", "m"}, {"max_model_len", -1}}}}});
  });
  EXPECT_EQ(identify(config_of(odd), ""), (ServerIdentity{"m", "", 0}));
}

TEST(Identify, AModelThatIsNotThere) {
  const MisbehavingServer server(GoodServer{.model = "qwen3-8b"});
  const std::string why = why_not(config_of(server, "qwen3-8B"));
  EXPECT_THAT(why, HasSubstr("it has no 'qwen3-8B', did you mean 'qwen3-8b'?"));
  EXPECT_THAT(why, HasSubstr(server.url()));
}

TEST(Identify, WhoCannotBeAsked) {
  const auto why = [](const Reply& reply) {
    const MisbehavingServer server([&](const SeenRequest&) { return reply; });
    return why_not(config_of(server));
  };
  EXPECT_THAT(why(json_reply(openai_error("no key", "x", 401), 401)),
              testing::AllOf(HasSubstr("401: no key"), HasSubstr("`key_env`")));
  EXPECT_THAT(why(redirect("http://127.0.0.1:1/v1/models")), HasSubstr("sends on to"));
  EXPECT_THAT(why(text_reply("loading", 503)), HasSubstr("503: loading"));
  EXPECT_THAT(why(closes_at_once()), Not(HasSubstr("identified")));
  EXPECT_THAT(why(json_reply(openai_error("key-that-nobody-may-see", "x", 403), 403)),
              Not(HasSubstr("key-that")));
  ServedConfig nobody;
  {
    const MisbehavingServer gone(GoodServer{});
    nobody = config_of(gone);
  }
  EXPECT_THAT(why_not(nobody), HasSubstr("no connection"));
}

TEST(IdentifyDeathTest, CtrlCEndsItWithinTwoSeconds) {
  using Clock = std::chrono::steady_clock;
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto interrupted = [] {
    install_interrupt_handler();
    const MisbehavingServer server([](const SeenRequest&) { return stalls_at_once(); });
    ServedConfig config = config_of(server);
    config.timeout = 60;
    Clock::time_point begin;
    const std::jthread user([&] {
      while (server.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      begin = Clock::now();
      std::raise(SIGINT);
    });
    try {
      identify(config, "");
    } catch (const Interrupted&) {
      std::_Exit(Clock::now() - begin < std::chrono::seconds(2) ? 130 : 2);
    }
    std::_Exit(1);
  };
  EXPECT_EXIT(interrupted(), testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace niah::served
