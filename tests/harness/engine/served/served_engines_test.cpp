// Whole runs of sweeps by a server: what its variants are, and that nothing is lost or mixed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/engine/served/identity.h"
#include "harness/engine/served/served_engines.h"
#include "harness/plan/plan.h"
#include "harness/run/runner.h"
#include "reports/journal_reader.h"
#include "tests/harness/engine/served/misbehaving_server.h"
#include "tests/harness/engine/served/openai_replies.h"
#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah::served {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr const char* kTokenizer = NIAH_SOURCE_DIR "/models/zoo/tokenizer";
constexpr const char* kKeyVariable = "NIAH_SERVED_TEST_KEY";

/// The first number of seven digits in a text.
std::string value_in(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    const bool is_digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!is_digit && digits.size() == 7) return digits;
    if (!is_digit) digits.clear();
    if (is_digit) digits += c;
  }
  return digits.size() == 7 ? digits : "nothing";
}

/// A sweep asked of a server that finds every needle, unless a test spoils it.
class ServedRun : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv(kKeyVariable); }

  /// A server that finds what is in its prompts; `spoil` may answer in its place.
  void serve(std::function<std::optional<Reply>(const SeenRequest&)> spoil = {}) {
    GoodServer good;
    good.longest = longest_;
    good.version = version_;
    good.text = [](const SeenRequest& request) {
      return " " + value_in(request.json.at("prompt").get<std::string>()) + ".";
    };
    good.prompt_tokens = [this](const SeenRequest& request) {
      return tokenizer_->count_prompt(request.json.at("prompt").get<std::string>());
    };
    server_ = std::make_unique<MisbehavingServer>([=](const SeenRequest& request) {
      if (spoil && request.method == "POST")
        if (std::optional<Reply> reply = spoil(request)) return *std::move(reply);
      return good(request);
    });
  }
  SweepConfig sweep(const std::string& more = "", const Overrides& overrides = {}) const {
    const std::string served = fmt::format(
        "{{url: '{}', model: m, prompts: text, retries: 0, timeout: 20{}}}", server_->url(), more);
    return parse_sweep(
        fmt::format("name: served\nhaystack: {{kind: prose}}\ntasks: [s1]\nlengths: [1K]\n"
                    "samples: 4\nmodels: [{{name: pair, served: {}}}]\ntokenizer: {}\n",
                    served, kTokenizer),
        "test", "/", overrides);
  }
  reports::Report run(const SweepConfig& config) const {
    return run_sweep(config, {out(), /*quiet=*/true}, ServedEngines(config));
  }
  std::filesystem::path out() const { return folder_.path() / "run"; }
  std::vector<reports::Record> records() const {
    std::vector<reports::Record> all;
    reports::read_records(out() / "journal.jsonl",
                          [&](const reports::Record& record) { all.push_back(record); });
    return all;
  }
  std::map<std::string, int> outcomes() const {
    std::map<std::string, int> counts;
    for (const reports::Record& record : records()) ++counts[record.outcome];
    return counts;
  }
  /// The files of the run that hold a text.
  std::vector<std::string> files_with(const std::string& text) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(out()))
      if (entry.is_regular_file() && read_file(entry.path(), "test").find(text) != text.npos)
        found.push_back(entry.path().filename().string());
    return found;
  }

  std::unique_ptr<MisbehavingServer> server_;
  std::string version_ = "0.10.1";
  std::int64_t longest_ = 4096;

 private:
  TemporaryFolder folder_;
  std::shared_ptr<const models::Tokenizer> tokenizer_ = models::open_tokenizer(kTokenizer);
};

TEST_F(ServedRun, IsDrawnAsAnyOther) {
  serve();
  const reports::Report report = run(sweep());
  ASSERT_EQ(report.results.cells.size(), 1U);
  EXPECT_EQ(report.results.cells[0].n, 4);
  EXPECT_EQ(report.results.cells[0].hits, 4);
  const reports::RunInfo info = read_plan(out());
  EXPECT_EQ(info.machine, "served");
  EXPECT_TRUE(info.arithmetic.empty());
  ASSERT_EQ(info.variants.size(), 1U);
  EXPECT_EQ(
      info.variants[0].server,
      fmt::format("vllm 0.10.1 at {}, model m, completions, prompts as text", server_->url()));
  EXPECT_EQ(info.variants[0].role, reports::Role::kBase);
  EXPECT_EQ(info.variants[0].fingerprint.size(), 16U);
  EXPECT_TRUE(std::filesystem::exists(out() / "report.html"));
}

TEST_F(ServedRun, WhatACheckpointSaysOfSamplingIsNotHeededByVllm) {
  serve();
  run(sweep());
  EXPECT_EQ(server_->requests().back().json.at("repetition_penalty"), 1);
  EXPECT_THAT(read_plan(out()).variants.at(0).server, Not(HasSubstr("repetition_penalty")));
}

TEST_F(ServedRun, WhatAConfigSaysOfItIs) {
  serve();
  run(sweep(", extra_body: {repetition_penalty: 1.1, top_k: 1}"));
  const nlohmann::json body = server_->requests().back().json;
  EXPECT_EQ(body.at("repetition_penalty"), 1.1);
  EXPECT_EQ(body.at("top_k"), 1);
  EXPECT_THAT(read_plan(out()).variants.at(0).server,
              HasSubstr(R"(, with {"repetition_penalty":1.1,"top_k":1})"));
}

TEST_F(ServedRun, WhatFailedIsAskedAgainAndNoSampleIsLost) {
  std::atomic<int> asked = 0;
  serve([&](const SeenRequest& request) -> std::optional<Reply> {
    switch (asked++) {
      case 0:
        return text_reply("busy", 503);
      case 1:
        return cut_after(40, completion_stream({.text = " 123"}));
      case 2:
        return completion_stream(
            {.text = " " + value_in(request.json.at("prompt").get<std::string>()),
             .prompt_tokens = 100});
      default:
        return std::nullopt;
    }
  });
  const reports::Report first = run(sweep());
  EXPECT_THAT(outcomes(),
              UnorderedElementsAre(Pair("cut", 1), Pair("failed", 2), Pair("scored", 1)));
  EXPECT_EQ(first.results.cells.at(0).n, 1);
  for (const reports::Record& record : records())
    EXPECT_EQ(record.detail.empty(), record.scored()) << record.detail;

  const reports::Report second = run(sweep());
  EXPECT_EQ(second.results.cells.at(0).n, 4);
  EXPECT_EQ(second.results.cells.at(0).hits, 4);
  EXPECT_TRUE(second.results.cells.at(0).unmeasured.empty());
  std::set<std::int64_t> scored;
  for (const reports::Record& record : records()) {
    if (!record.scored()) continue;
    EXPECT_TRUE(scored.insert(record.index).second) << "asked twice";
  }
  EXPECT_EQ(scored.size(), 4U);

  const std::size_t before = server_->requests_to("/v1/completions");
  run(sweep());
  EXPECT_EQ(server_->requests_to("/v1/completions"), before) << "nothing is left to ask";
}

TEST_F(ServedRun, ACellThatIsRefusedIsAGapWithTheServersWords) {
  std::atomic<bool> refuses = true;
  serve([&](const SeenRequest&) -> std::optional<Reply> {
    if (!refuses) return std::nullopt;
    return json_reply(openai_error("no needles here", "BadRequestError", 400), 400);
  });
  const reports::Report report = run(sweep(", concurrency: 1"));
  EXPECT_THAT(outcomes(), ElementsAre(Pair("refused", 4)));
  EXPECT_EQ(server_->requests_to("/v1/completions"), 1U) << "the rest is not asked";
  EXPECT_EQ(report.results.cells.at(0).n, 0);
  EXPECT_THAT(records().front().detail, HasSubstr("no needles here"));
  refuses = false;
  EXPECT_EQ(run(sweep(", concurrency: 1")).results.cells.at(0).n, 4);
}

TEST_F(ServedRun, TheKeyIsSentToTheServerAndIsInNoFile) {
  constexpr const char* kKey = "k-8c1fe0a7d2-nobody-may-see";
  ::setenv(kKeyVariable, kKey, 1);
  std::atomic<int> asked = 0;
  serve([&](const SeenRequest& request) -> std::optional<Reply> {
    // A server that says back what it was sent, in an error and in an answer.
    const std::string said = request.header("Authorization");
    if (asked++ == 0) return json_reply(openai_error("what is " + said, "x", 503), 503);
    return completion_stream({.text = " " + said, .prompt_tokens = 900});
  });
  run(sweep(fmt::format(", key_env: {}", kKeyVariable)));
  ASSERT_FALSE(server_->requests().empty());
  for (const SeenRequest& request : server_->requests())
    EXPECT_EQ(request.header("Authorization"), std::string("Bearer ") + kKey) << request.path;
  EXPECT_THAT(files_with(kKey), ElementsAre());
  EXPECT_THAT(files_with(kKeyVariable), Contains("plan.json")) << "its name may be known";
}

TEST_F(ServedRun, AKeyThatIsNotThereIsMissedBeforeAnythingIsAsked) {
  serve();
  const SweepConfig config = sweep(fmt::format(", key_env: {}", kKeyVariable));
  const auto said = [&] { return refusal_of<UsageError>([&] { ServedEngines{config}; }); };
  EXPECT_THAT(said(),
              AllOf(HasSubstr("pair served"), HasSubstr(kKeyVariable), HasSubstr("not set")));
  ::setenv(kKeyVariable, "", 1);
  EXPECT_THAT(said(), HasSubstr("is empty"));
  ::setenv(kKeyVariable, "secret-with-its-line\n", 1);
  EXPECT_THAT(said(), AllOf(HasSubstr("a line break"), Not(HasSubstr("secret-with"))));
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(ServedRun, AnotherVersionOfTheServerDoesNotGoOnWithARun) {
  std::atomic<bool> is_new = false;
  GoodServer old_one, new_one;
  old_one.version = "0.10.1";
  new_one.version = "0.11.0";
  server_ = std::make_unique<MisbehavingServer>(
      [&](const SeenRequest& request) { return is_new ? new_one(request) : old_one(request); });
  run(sweep());
  const std::string plan = read_file(out() / "plan.json", "test");
  const auto before = records().size();
  is_new = true;
  EXPECT_THAT(refusal_of<UsageError>([&] { run(sweep()); }),
              AllOf(HasSubstr("the server of pair served was vllm 0.10.1 at"),
                    HasSubstr("is now vllm 0.11.0 at"), HasSubstr("Choose another --out")));
  EXPECT_EQ(records().size(), before);
  EXPECT_EQ(read_file(out() / "plan.json", "test"), plan);
  is_new = false;
  EXPECT_NO_THROW(run(sweep()));
}

TEST_F(ServedRun, AServerThatTakesLessThanTheLongestCellIsNotAsked) {
  longest_ = 1000;
  serve();
  EXPECT_THAT(
      refusal_of([&] { run(sweep()); }),
      AllOf(HasSubstr("takes 1,000 tokens"), HasSubstr("has 1,024"), HasSubstr("pair served")));
  EXPECT_EQ(server_->requests_to("/v1/completions"), 0U);
  EXPECT_FALSE(std::filesystem::exists(out() / "journal.jsonl"));
}

TEST_F(ServedRun, WhatTheServerDoesNotTellIsSaidInTheReport) {
  server_ = std::make_unique<MisbehavingServer>([](const SeenRequest& request) {
    if (request.method == "GET") return text_reply("not here", 404);
    return GoodServer{}(request);
  });
  run(sweep());
  const reports::RunInfo info = read_plan(out());
  EXPECT_THAT(info.caveats, Contains(HasSubstr("does not tell its version")));
  EXPECT_THAT(info.caveats, Contains(HasSubstr("does not tell how many tokens it takes")));
  EXPECT_THAT(info.variants[0].server, HasSubstr("a server of unknown version at "));
}

TEST_F(ServedRun, TheSameServerInTwoOrdersIsTwoVariants) {
  serve();
  const std::string shuffled = fmt::format(
      "[{{of: served, name: a}}, {{name: b, of: a, served: {{url: '{}', model: m, prompts: text, "
      "order: "
      "shuffled}}}}]",
      server_->url());
  EXPECT_THAT(refusal_of<UsageError>([&] {
                sweep("", {{"models.0.variants", shuffled}});
              }),
              HasSubstr("runs no variant 'a'"))
      << "a served variant is nobody's checkpoint";
  std::string own = shuffled;
  own.replace(own.find("of: a, "), 7, "");
  run(sweep("", {{"models.0.variants", own}}));
  const reports::RunInfo info = read_plan(out());
  ASSERT_EQ(info.variants.size(), 2U);
  EXPECT_NE(info.variants[0].fingerprint, info.variants[1].fingerprint);
  EXPECT_THAT(outcomes(), ElementsAre(Pair("scored", 8)));
}

TEST_F(ServedRun, AVersionDoesNotSayTheKey) {
  constexpr const char* kKey = "k-8c1fe0a7d2-nobody-may-see";
  const auto answer = [](const SeenRequest& request) -> Reply {
    if (request.path == "/version")
      return text_reply("{\"version\": \"1 \\u006b-8c1fe0a7d2-nobody-may-see\"}");
    return json_reply(vllm_models("m", 4096));
  };
  const MisbehavingServer escaping(answer);
  ServedConfig config;
  config.url = escaping.url();
  config.model = "m";
  EXPECT_EQ(identify(config, kKey).version, "vllm 1 ***");
}

TEST_F(ServedRun, TheModelsThatAnsweredAreKeptAndSaid) {
  std::atomic<int> asked = 0;
  serve([&](const SeenRequest&) -> std::optional<Reply> {
    return completion_stream({.text = " none", .model = asked++ < 3 ? "m-q4" : "other"});
  });
  run(sweep());
  std::map<std::string, int> models;
  for (const reports::Record& record : records()) ++models[record.answered_by];
  EXPECT_THAT(models, ElementsAre(Pair("m-q4", 3), Pair("other", 1)));
  EXPECT_THAT(read_file(out() / "report.html", "test"),
              HasSubstr("Not one model answered all samples, by the names in the answers: m-q4 "
                        "(3), other (1)."));
}

using ServedRunDeathTest = ServedRun;

TEST_F(ServedRunDeathTest, AKeyIsInNoCoreDump) {
  serve();
  const SweepConfig config = sweep(fmt::format(", key_env: {}", kKeyVariable));
  const auto has_limit = [&] {
    ::setenv(kKeyVariable, "k-8c1fe0a7d2-nobody-may-see", 1);
    const ServedEngines engines(config);
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    std::_Exit(limit.rlim_max == 1 ? 0 : 1);
  };
  EXPECT_EXIT(has_limit(), testing::ExitedWithCode(0), "");
}

TEST_F(ServedRunDeathTest, CtrlCEndsItWithinTwoSecondsWithWorkSaved) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto interrupted = [&] {
    install_interrupt_handler();
    std::atomic<int> asked = 0;
    serve([&](const SeenRequest&) -> std::optional<Reply> {
      if (asked++ < 2) return std::nullopt;
      return stalls_at_once();
    });
    const SweepConfig config = sweep(", concurrency: 2");
    std::chrono::steady_clock::time_point begin;
    std::jthread user([&] {
      while (asked < 4) std::this_thread::sleep_for(10ms);
      begin = std::chrono::steady_clock::now();
      std::raise(SIGINT);
    });
    try {
      run(config);
      std::_Exit(1);
    } catch (const Interrupted&) {
      if (std::chrono::steady_clock::now() - begin > 2s) std::_Exit(2);
      std::_Exit(outcomes() == std::map<std::string, int>{{"scored", 2}} ? 130 : 3);
    }
  };
  EXPECT_EXIT(interrupted(), testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace niah::served
