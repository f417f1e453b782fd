// Served models in a sweep: how they are read, why they are refused, and how the plan stores them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/config/served_section.h"
#include "tests/harness/config/demo_sweep.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

/// A sweep of one served model, with `more` fields in its mapping.
std::string sweep_of(const std::string& more) {
  return fmt::format(
      "name: s\ntasks: [s1]\nlengths: [4K]\nsamples: 1\ntokenizer: t\n"
      "models: [{{name: m, served: {{url: 'http://localhost:8000/v1', model: q{}}}}}]\n",
      more.empty() ? "" : ", " + more);
}

std::string with_url(const std::string& url) {
  return replaced(sweep_of(""), "'http://localhost:8000/v1'", "'" + url + "'");
}

ServedConfig served(const std::string& text) {
  return parse(text).models.front().variants.front().served.value();
}

/// kSweep with its last variant replaced.
std::string with_variant(const std::string& variant) {
  return replaced(kSweep, "{name: other, checkpoint: c}", variant);
}

constexpr const char* kServer = "served: {url: 'http://h/v1', model: q}";

TEST(Served, AModelMayBeServedAlone) {
  const SweepConfig sweep = parse(sweep_of(""));
  const ModelConfig& model = sweep.models.front();
  EXPECT_TRUE(model.base.empty());
  EXPECT_EQ(sweep.tokenizer, "/configs/t");
  ASSERT_EQ(model.variants.size(), 1U);
  const VariantConfig& variant = model.variants.front();
  EXPECT_EQ(variant.name, "served");
  EXPECT_EQ(variant.kind, VariantKind::kServed);
  EXPECT_EQ(variant.role, reports::Role::kBase);
  EXPECT_EQ(variant.served, (ServedConfig{.url = "http://localhost:8000/v1", .model = "q"}));
  EXPECT_EQ(variant.description, "served: asked of http://localhost:8000/v1, model q, completions");
  EXPECT_TRUE(has_served_variant(sweep));
  EXPECT_FALSE(has_local_variant(sweep));
}

TEST(Served, AllThatIsSaidOfItIsRead) {
  const ServedConfig all = served(
      sweep_of("api: completions, prompts: text, key_env: MY_KEY, concurrency: 64, timeout: 2.5, "
               "retries: 0, "
               "log_probs: echo, order: shuffled, cache_probe: 0.25, headers: {X-Team: recall}"));
  EXPECT_EQ(all.prompts, "text");
  EXPECT_EQ(all.key_env, "MY_KEY");
  EXPECT_EQ(all.concurrency, 64);
  EXPECT_EQ(all.timeout, 2.5);
  EXPECT_EQ(all.retries, 0);
  EXPECT_EQ(all.log_probs, "echo");
  EXPECT_EQ(all.order, "shuffled");
  EXPECT_EQ(all.cache_probe, 0.25);
  EXPECT_THAT(all.headers, ElementsAre(Pair("X-Team", "recall")));
  EXPECT_EQ(served_text(all),
            "http://localhost:8000/v1, model q, completions, prompts as text, in shuffled order, "
            "X-Team: recall");
}

TEST(Served, ThePlanKeepsItAsItIs) {
  const std::vector<std::string> texts = {
      sweep_of(""),
      sweep_of(
          "api: chat, key_env: K_1, timeout: 1, concurrency: 1024, headers: {X-A: '1', b: c d}, "
          "extra_body: {chat_template_kwargs: {enable_thinking: false}, min_p: 0.5, a: '1'}"),
      with_variant(fmt::format("{{{}, of: sft, label: L, description: D}}", kServer)),
      with_variant(fmt::format("{{{}, name: x, role: restored, fine_tune: qk}}", kServer)),
      replaced(sweep_of(""), "}}]",
               "}, variants: [{of: served, name: a, label: Ours}, {served: {url: "
               "'http://b', model: q}, name: b}]}]"),
  };
  for (const std::string& text : texts) {
    const SweepConfig sweep = parse(text);
    const std::string plan = sweep_to_json(sweep);
    const SweepConfig again = parse_sweep(plan, "plan", "/elsewhere", {});
    EXPECT_EQ(sweep_to_json(again), plan);
    for (std::size_t i = 0; i < sweep.models.front().variants.size(); ++i) {
      const VariantConfig& before = sweep.models.front().variants[i];
      const VariantConfig& after = again.models.front().variants[i];
      EXPECT_EQ(after.served, before.served);
      EXPECT_EQ(after.role, before.role);
      EXPECT_EQ(after.same_as, before.same_as);
      EXPECT_EQ(after.label, before.label);
    }
  }
}

TEST(Served, AServerBesideACheckpointSaysWhoseItIs) {
  const auto variant = [](const std::string& more) {
    return parse(with_variant(fmt::format("{{{}{}}}", kServer, more)))
        .models.front()
        .variants.back();
  };
  EXPECT_EQ(variant("").name, "served");
  EXPECT_EQ(variant("").role, reports::Role::kControl);
  EXPECT_EQ(variant("").same_as, "");
  EXPECT_EQ(variant(", of: sft, name: vllm").same_as, "sft");
  EXPECT_EQ(variant(", of: qk").same_as, "qk");
  EXPECT_EQ(variant(", role: tuned").role, reports::Role::kTuned);
  const SweepConfig renamed = parse(replaced(with_variant(fmt::format("{{{}, of: base}}", kServer)),
                                             "[base,", "[{of: base, name: before},"));
  EXPECT_EQ(renamed.models.front().variants.back().same_as, "before");
  EXPECT_THAT(refusal(with_variant(fmt::format("{{{}, of: sfd}}", kServer))),
              AllOf(HasSubstr("runs no variant 'sfd'"), HasSubstr("did you mean 'sft'")));
  EXPECT_THAT(refusal(with_variant(fmt::format("{{{}, of: served}}", kServer))),
              HasSubstr("runs no variant 'served'"));
}

TEST(Served, AModelIsRunHereOrServed) {
  const auto both = [](const std::string& key) {
    return refusal(replaced(sweep_of(""), "name: m,", "name: m, " + key + ","));
  };
  for (const char* key : {"base: b", "sft: s", "override: {a: 1}"})
    EXPECT_THAT(both(key), HasSubstr("list the server among the variants")) << key;
  EXPECT_THAT(both("variants: [base]"), AllOf(HasSubstr("'base' needs `base`")));
  EXPECT_THAT(refusal(replaced(kSweep, "sft, qk,", "served,")),
              HasSubstr("'served' is not a variant"));
  EXPECT_THAT(refusal("name: s\ntasks: s1\nlengths: 4K\nsamples: 1\nmodels: [{name: m}]"),
              HasSubstr("base: this key is required"));
}

TEST(Served, ASweepHasOneTokenizer) {
  const std::string alone = replaced(sweep_of(""), "tokenizer: t\n", "");
  EXPECT_THAT(refusal(alone), HasSubstr("tokenizer: it is needed where every model is served"));
  const std::string beside = replaced(alone, "name: m,", "name: m, tokenizer: t/,");
  EXPECT_EQ(parse(beside).tokenizer, "/configs/t/");
  EXPECT_EQ(refusal(beside + "tokenizer: /configs/t\n"), "accepted");
  EXPECT_THAT(refusal(beside + "tokenizer: u\n"),
              AllOf(HasSubstr("/configs/t"), HasSubstr("/configs/u"), HasSubstr("'m'")));
  const std::string second = replaced(alone, "}}]", "}}, {name: n, base: b}]");
  EXPECT_EQ(parse(second).tokenizer, "/configs/b") << "of the first checkpoint";
}

TEST(Served, AnAddressIsKeptInItsPlainForm) {
  const auto url = [](const std::string& text) { return served(with_url(text)).url; };
  EXPECT_EQ(url("HTTP://LocalHost:80/v1/"), "http://localhost/v1");
  EXPECT_EQ(url("https://api.example.com:443/V1//"), "https://api.example.com/V1");
  EXPECT_EQ(url("http://[::1]:8000"), "http://[::1]:8000");
  EXPECT_EQ(url("http://10.0.0.1:65535/a/b"), "http://10.0.0.1:65535/a/b");
  for (const char* bad :
       {"localhost:8000/v1", "ftp://h/v1", "http://", "http:///v1", "http://h:0", "http://h:65536",
        "http://h:", "http://h:80a", "http://[::1", "http://[]", "http://a b/v1", "http://h\\x",
        "http://ü/v1", "http://:80/v1", "file:///etc/passwd"})
    EXPECT_THAT(refusal(with_url(bad)), HasSubstr("models[0].served.url")) << bad;
  for (const char* end : {"/completions", "/chat/completions", "/models", "/completions/"})
    EXPECT_THAT(refusal(with_url(std::string("http://h/v1") + end)), HasSubstr("leave that off"));
}

TEST(Served, NothingThatMayBeAKeyIsTakenOrShown) {
  for (const char* url :
       {"http://me:hunter2xyz@h/v1", "http://hunter2xyz@h/v1", "http://h/v1?key=hunter2xyz",
        "http://h/v1#hunter2xyz", "http://h/sk-hunter2xyz/v1"})
    EXPECT_THAT(refusal(with_url(url)), AllOf(HasSubstr("key_env"), Not(HasSubstr("hunter2xyz"))))
        << url;
  for (const char* key : {"sk-hunter2xyz", "SK-hunter2xyz", "hf_hunter2xyz", "gsk_hunter2xyz",
                          "aB3dE5gH7jK9mN1pQ3sT5vhunter2xyz", "$hunter2xyz", "1hunter2xyz"})
    EXPECT_THAT(refusal(sweep_of(fmt::format("key_env: {}", key))),
                AllOf(HasSubstr("environment variable"), Not(HasSubstr("hunter2xyz"))))
        << key;
  for (const char* name : {"Authorization", "api-key", "X-API-Key", "Cookie", "X-Auth-Token",
                           "Proxy-Authorization", "X-Client-Secret"})
    EXPECT_THAT(refusal(sweep_of(fmt::format("headers: {{{}: hunter2xyz}}", name))),
                AllOf(HasSubstr("use key_env"), Not(HasSubstr("hunter2xyz"))))
        << name;
  for (const char* value : {"Bearer hunter2xyz", "sk-hunter2xyz"})
    EXPECT_THAT(refusal(sweep_of(fmt::format("headers: {{X-A: {}}}", value))),
                AllOf(HasSubstr("use key_env"), Not(HasSubstr("hunter2xyz"))))
        << value;
}

TEST(Served, WhatIsUnknownOrOutOfRangeIsRefused) {
  const auto refused = [](const std::string& more) { return refusal(sweep_of(more)); };
  EXPECT_THAT(refused("concurency: 3"), HasSubstr("did you mean 'concurrency'"));
  EXPECT_THAT(refused("api: completion"), HasSubstr("did you mean 'completions'"));
  EXPECT_THAT(refused("prompts: id"), HasSubstr("did you mean 'ids'"));
  EXPECT_THAT(refused("order: shuffle"), HasSubstr("did you mean 'shuffled'"));
  EXPECT_THAT(refused("log_probs: top"),
              HasSubstr("expected none, echo or prompt_logprobs, got 'top'"));
  for (const char* bad :
       {"concurrency: 0", "concurrency: 1025", "timeout: 0.5", "timeout: 86401", "retries: -1",
        "retries: 101", "cache_probe: -0.1", "cache_probe: 1.1", "cache_probe: nan", "timeout: x"})
    EXPECT_THAT(refused(bad), HasSubstr("expected a")) << bad;
  EXPECT_THAT(refused("api: chat, prompts: ids"), HasSubstr("`api: completions`"));
  EXPECT_THAT(refused("api: chat, log_probs: echo"), HasSubstr("`api: completions`"));
  EXPECT_THAT(refused("headers: {X-A: \"a\\r\\nb\"}"), HasSubstr("one line of ASCII"));
  EXPECT_THAT(refused("headers: {'X A': b}"), HasSubstr("no header has such a name"));
  EXPECT_THAT(refused("headers: {X-A: b, x-a: c}"), HasSubstr("already given, as 'X-A'"));
  EXPECT_THAT(refused("headers: {Host: b}"), HasSubstr("niah's own"));
  EXPECT_THAT(refused("headers: [a]"), HasSubstr("mapping"));
  EXPECT_THAT(refused("extra_body: {stream: false}"), HasSubstr("niah's own"));
  EXPECT_THAT(refused("extra_body: {a: {b: [sk-hunter2xyz]}}"),
              AllOf(HasSubstr("use key_env"), Not(HasSubstr("hunter2xyz"))));
  for (const char* secret : {"{api_key: hunter2xyz}", "{a: {password: hunter2xyz}}",
                             "{a: Bearer hunter2xyz}", "{key: hunter2xyz}"})
    EXPECT_THAT(refused(fmt::format("extra_body: {}", secret)),
                AllOf(HasSubstr("use key_env"), Not(HasSubstr("hunter2xyz"))))
        << secret;
  for (const char* number : {"1e400", ".nan", "-.inf", "12345678901234567890123", "[1, 1e999]"})
    EXPECT_THAT(refused(fmt::format("extra_body: {{x: {}}}", number)),
                HasSubstr("a number that JSON or 64 bits cannot hold"))
        << number;
  EXPECT_EQ(refused("extra_body: {x: '1e400', y: -0.5, z: 18446744073709551615, top_k: 1}"),
            "accepted");
  EXPECT_THAT(refused("extra_body: 7"), HasSubstr("mapping"));
  EXPECT_THAT(refused(fmt::format("extra_body: {{a: {}}}", std::string(1001, 'x'))),
              HasSubstr("at most 1000 bytes"));
  EXPECT_THAT(refusal(replaced(sweep_of(""), "model: q", "model: \"a\\nb\"")),
              HasSubstr("in one line"));
  EXPECT_THAT(refusal(replaced(sweep_of(""), ", model: q", "")),
              HasSubstr("served.model: this key is required"));
}

TEST(Served, AChatDoesNotBeginAThoughtForTheServer) {
  const auto with = [](const std::string& more, const std::string& suffix) {
    return refusal(sweep_of(more) + "prompt: {format: custom, suffix: '" + suffix + "'}\n");
  };
  EXPECT_THAT(with("api: chat", "A: <think>"),
              AllOf(HasSubstr("begins a thought"), HasSubstr("'served'")));
  EXPECT_EQ(with("api: chat", "A:"), "accepted");
  EXPECT_EQ(with("", "A: <think>"), "accepted");
}

TEST(Served, WhatAsksTheSameTwiceIsRefused) {
  const auto with = [](const std::string& more) {
    return refusal(
        with_variant(fmt::format("{{{}}}, {{name: b, served: {{url: 'http://h/v1/', "
                                 "model: q{}}}}}",
                                 kServer, more)));
  };
  EXPECT_THAT(with(""), HasSubstr("'pair served' and 'pair b' are the same, asked of http://h/v1"));
  EXPECT_THAT(with(", concurrency: 3"), HasSubstr("are the same")) << "only its pace is another";
  EXPECT_EQ(with(", api: chat"), "accepted");
  EXPECT_EQ(with(", order: shuffled"), "accepted") << "caches answer otherwise";
}

TEST(Served, TheCommandLineChangesItAsAnythingElse) {
  const SweepConfig sweep = parse(
      sweep_of(""), {{"models.0.served.url", "http://other/v1"}, {"models.0.served.retries", "2"}});
  EXPECT_EQ(sweep.models.front().variants.front().served->url, "http://other/v1");
  EXPECT_EQ(sweep.models.front().variants.front().served->retries, 2);
  EXPECT_THAT(
      refusal(sweep_of(""), {{"models.0.served.retrys", "2"}}),
      AllOf(HasSubstr("--set models[0].served.retrys"), HasSubstr("did you mean 'retries'")));
}

}  // namespace
}  // namespace niah
