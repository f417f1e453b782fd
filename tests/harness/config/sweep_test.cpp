#include "harness/config/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "tests/harness/config/demo_sweep.h"
#include "tests/paths.h"

namespace niah {
namespace {

using testing::HasSubstr;

TEST(Sweep, ReadsModelsVariantsAndPaths) {
  const SweepConfig sweep = parse(kSweep);
  EXPECT_EQ(sweep.lengths, (std::vector<std::int64_t>{4096, 8192}));
  EXPECT_EQ(sweep.samples.at("s1", 8192), 10);
  ASSERT_EQ(sweep.models.size(), 1U);
  const ModelConfig& model = sweep.models[0];
  EXPECT_EQ(model.base, "/configs/checkpoints/base");
  EXPECT_EQ(model.sft, "/abs/sft");
  EXPECT_EQ(sweep.tokenizer, model.base);
  ASSERT_EQ(model.variants.size(), 5U);
  EXPECT_EQ(model.variants[3].name, "qk-pro");
  EXPECT_EQ(model.variants[3].restore.lambda, 0.5);
  EXPECT_EQ(model.variants[4].checkpoint, "/configs/c");
}

TEST(Sweep, ACheckpointMayBeABaseWithAnAdapter) {
  const std::string text = replaced(
      replaced(kSweep, "sft: /abs/sft", "sft: {base: checkpoints/base, adapter: runs/lora}"),
      "checkpoint: c}", "checkpoint: {base: b, adapter: /abs/l}}");
  const SweepConfig sweep = parse(text);
  const ModelConfig& model = sweep.models[0];
  EXPECT_FALSE(model.base.has_adapter());
  EXPECT_EQ(model.sft.folder, model.base.folder);
  EXPECT_EQ(model.sft.adapter, "/configs/runs/lora");
  EXPECT_EQ(model.variants[4].checkpoint.adapter, "/abs/l");
  EXPECT_THAT(model.variants[4].description, HasSubstr("adapter l"));
  EXPECT_EQ(sweep.tokenizer, model.base.folder);
  const std::string kept = sweep_to_json(sweep);
  EXPECT_EQ(sweep_to_json(parse_sweep(kept, "plan.json", "/", {})), kept);

  EXPECT_THAT(refusal(replaced(text, "adapter: runs/lora", "adaptor: runs/lora")),
              HasSubstr("adapter"));
  EXPECT_THAT(refusal(replaced(text, "{base: checkpoints/base, ", "{")), HasSubstr("base"));
  // Two adapters on one base are different variants; the same adapter twice is not.
  EXPECT_THAT(refusal(replaced(text, "{base: b, adapter: /abs/l}",
                               "{base: checkpoints/base, adapter: runs/lora}")),
              HasSubstr("are the same, checkpoint /configs/checkpoints/base with the adapter"));
}

TEST(Sweep, SamplesMayComeFromFiles) {
  const std::string models = "models: [{name: m, base: b}]\n";
  const SweepConfig one = parse("name: x\nsamples_from: s.jsonl\n" + models);
  ASSERT_EQ(one.sample_files.size(), 1U);
  EXPECT_EQ(one.sample_files[0].path, "/configs/s.jsonl");
  EXPECT_EQ(one.samples.otherwise, 0);
  const SweepConfig two =
      parse("name: x\nsamples: 5\nsamples_from: [a, {path: b, task: s3, length: 8K}]\n" + models);
  EXPECT_EQ(two.sample_files[1].task, "s3");
  EXPECT_EQ(two.sample_files[1].length, 8192);
  EXPECT_EQ(two.samples.otherwise, 5);
  EXPECT_THAT(refusal("name: x\nsamples_from: s\ntasks: s1\n" + models), HasSubstr("leave it out"));
  EXPECT_THAT(refusal("name: x\nsamples_from: [{pth: s}]\n" + models), HasSubstr("path"));
  EXPECT_THAT(refusal("name: x\nsamples_from: []\n" + models),
              HasSubstr("tasks: this key is required"));
}

TEST(Sweep, PromptAndThoughtAreReadTogether) {
  const SweepConfig plain = parse(kSweep);
  EXPECT_EQ(plain.prompt.format, "raw");
  EXPECT_TRUE(plain.prompt.answer_prefix);
  const SweepConfig thinking =
      parse(kSweep + "prompt: {format: chatml}\ngeneration: {max_thinking_tokens: 500}\n");
  EXPECT_FALSE(thinking.prompt.answer_prefix);
  EXPECT_EQ(thinking.generation.max_thinking_tokens, 500);

  const std::string both =
      "generation: {max_thinking_tokens: 500}\nprompt: {format: chatml, answer_prefix: true";
  EXPECT_THAT(refusal(kSweep + both + "}\n"), HasSubstr("force"));
  EXPECT_TRUE(parse(kSweep + both + ", force: true}\n").prompt.answer_prefix);
  EXPECT_THAT(refusal(kSweep + "prompt: {format: chatlm}\n"), HasSubstr("did you mean 'chatml'"));
  EXPECT_THAT(refusal(kSweep + "prompt: {format: custom}\n"), HasSubstr("a prefix or a suffix"));
  EXPECT_THAT(refusal(kSweep + "prompt: {prefix: x}\n"), HasSubstr("format: custom"));
  EXPECT_THAT(refusal(kSweep + "prompt: {format: custom, prefix: a, system: x}\n"),
              HasSubstr("format: chatml"));
}

TEST(Sweep, ReasoningIsOneSetOrSeveral) {
  EXPECT_TRUE(parse(kSweep).reasoning.empty());
  const SweepConfig one = parse(kSweep + "reasoning: {samples: 7}\n", {{"reasoning.samples", "9"}});
  ASSERT_EQ(one.reasoning.size(), 1U);
  EXPECT_EQ(one.reasoning[0].samples, 9);
  const SweepConfig two =
      parse(kSweep +
            "reasoning:\n  - {kind: word-problems}\n  - {kind: gsm8k, path: g.jsonl, samples: 50}\n"
            "  - {kind: math500, path: m.jsonl}\n");
  ASSERT_EQ(two.reasoning.size(), 3U);
  EXPECT_EQ(two.reasoning[1].path, "/configs/g.jsonl");
  EXPECT_EQ(two.reasoning[1].max_new_tokens, 512);
  EXPECT_EQ(two.reasoning[2].samples, 0) << "all";
  EXPECT_THAT(refusal(kSweep + "reasoning: {kind: gsm8k}\n"), HasSubstr("path"));
  EXPECT_THAT(refusal(kSweep + "reasoning: {kind: gsm}\n"), HasSubstr("did you mean 'gsm8k'"));
  EXPECT_THAT(refusal(kSweep + "reasoning: [{}, {}]\n"), HasSubstr("is listed twice"));
}

TEST(Sweep, ConfigFieldsOfAModelMayBeOverridden) {
  const SweepConfig sweep = parse(
      "name: x\ntasks: s1\nlengths: 4K\nsamples: 1\nmodels:\n  - name: m\n    base: b\n"
      "    override: {attn_logits_scaling: hype 500, rope_theta: 1e6, a: '5', b: 5, c: null, d: "
      "true,"
      " e: {f: [1, x]}}\n");
  EXPECT_EQ(
      sweep.models[0].override,
      nlohmann::json::parse(R"({"attn_logits_scaling": "hype 500", "rope_theta": 1e6, "a": "5",
                "b": 5, "c": null, "d": true, "e": {"f": [1, "x"]}})"));
  EXPECT_THAT(refusal("name: x\ntasks: s1\nlengths: 4K\nsamples: 1\n"
                      "models: [{name: m, base: b, override: 3}]\n"),
              HasSubstr("expected fields of config.json"));
}

TEST(Sweep, NumbersHaveBounds) {
  const auto with = [](const std::string& samples) {
    return refusal(replaced(kSweep, "samples: 10", "samples: " + samples));
  };
  EXPECT_THAT(with("100000000"), HasSubstr("s.yaml:5:10: samples: expected an integer from 1 to "
                                           "1,000,000, got '100000000'"));
  EXPECT_THAT(with("{4K: 10, 4096: 20, 8K: 7}"),
              HasSubstr("samples.4096: the count for 4K was already given"));
  EXPECT_THAT(with("{4K: 10, 8K: 20, 16K: 7}"), HasSubstr("samples.16K: 16K is none of `lengths`"));
  EXPECT_EQ(
      refusal(replaced(kSweep, "samples: 10", "samples: {4K: 10, 8K: 20}"), {{"lengths", "[8K]"}}),
      "accepted")
      << "an option may ask for some of the lengths";
  EXPECT_THAT(refusal(kSweep + "runtime: {memory_mib: 17592186044416}\n"),
              HasSubstr("runtime.memory_mib: expected an integer from 0 to "));
  EXPECT_THAT(refusal(kSweep + "runtime: {mark_memory_mib: -1}\n"), HasSubstr("mark_memory_mib"));
  EXPECT_THAT(refusal(kSweep + "runtime: {threads: 5000}\n"),
              HasSubstr("expected auto or an integer from 1 to 4,096"));
  EXPECT_THAT(refusal(kSweep + "seed: 9223372036854775808\n"), HasSubstr("seed: expected"));
  EXPECT_THAT(refusal(replaced(kSweep, "[8K, 4K]", "[8K, 2000M]")), HasSubstr("up to 1024M"));
}

TEST(Sweep, SamplesMayEndWhenRecallIsKnownWellEnough) {
  const SweepConfig sweep =
      parse(replaced(kSweep, "samples: 10", "samples: {max: 500, half_width: 0.03}"));
  EXPECT_EQ(sweep.samples.at("s1", 4096), 500);
  EXPECT_EQ(sweep.samples.half_width, 0.03);
  EXPECT_THAT(sweep_to_json(sweep), HasSubstr("half_width"));
  EXPECT_EQ(parse(kSweep).samples.half_width, 0) << "off by default";
  for (const char* bad : {"{max: 500}", "{half_width: 0.1}", "{max: 0, half_width: 0.1}",
                          "{max: 5, half_width: 3}", "{max: 5, half_width: 0.1, min: 2}"})
    EXPECT_THAT(refusal(replaced(kSweep, "samples: 10", std::string("samples: ") + bad)),
                testing::Not(testing::IsEmpty()))
        << bad;
}

TEST(Sweep, CountsMayDifferByLength) {
  const SweepConfig sweep = parse(replaced(kSweep, "samples: 10", "samples: {4K: 7, 8K: 3}"));
  EXPECT_EQ(sweep.samples.at("s1", 4096), 7);
  EXPECT_EQ(sweep.samples.at("s1", 8192), 3);
  EXPECT_THAT(refusal(replaced(kSweep, "samples: 10", "samples: {4K: 7}")),
              HasSubstr("no count for length 8K"));
}

TEST(Sweep, OverridesReachAnyKey) {
  const SweepConfig sweep =
      parse(kSweep, {{"samples", "3"}, {"runtime.dtype", "fp32"}, {"lengths", "[16K]"}});
  EXPECT_EQ(sweep.samples.at("s1", 16384), 3);
  EXPECT_EQ(sweep.runtime.dtype, "fp32");
  EXPECT_THAT(refusal(kSweep, {{"runtime.dtyp", "fp32"}}), HasSubstr("did you mean 'dtype'"));
  EXPECT_THAT(refusal(kSweep, {{"samples.x", "1"}}), HasSubstr("nothing in '10'"));
  EXPECT_THROW(parse_override("samples"), UsageError);
}

TEST(Sweep, OverridesReachElementsOfLists) {
  const SweepConfig sweep =
      parse(kSweep, {{"models.0.base", "/tonight"}, {"models.0.variants.3.lambda", "0.25"}});
  EXPECT_EQ(sweep.models.front().base, "/tonight");
  EXPECT_EQ(sweep.models.front().variants[3].restore.lambda, 0.25);
  for (const char* path : {"models.1.base", "models.base", "models.-1.base", "models.00.base"})
    EXPECT_THAT(refusal(kSweep, {{path, "/x"}}), HasSubstr("the number of an element")) << path;
}

TEST(Sweep, ErrorsInOverridesNameTheOption) {
  EXPECT_THAT(refusal(kSweep, {{"samples", "many"}}),
              testing::StartsWith("--set samples: expected an integer"));
  EXPECT_THAT(refusal(kSweep, {{"runtime.dtype", "fp16"}}),
              testing::StartsWith("--set runtime.dtype: "));
  EXPECT_THAT(refusal(kSweep, {{"models.0.basee", "x"}}),
              testing::StartsWith("--set models[0].basee: unknown key"));
  EXPECT_THAT(refusal(replaced(kSweep, "samples: 10", "samples: x"), {{"runtime.threads", "1"}}),
              testing::StartsWith("s.yaml:5:10: samples: "));
}

TEST(Sweep, AMisspeltKeyIsNamedEvenWhereTheRightOneIsRequired) {
  EXPECT_THAT(refusal(replaced(kSweep, "samples:", "sampels:")),
              testing::AllOf(HasSubstr("s.yaml:5:1: sampels"), HasSubstr("'samples'")));
  EXPECT_THAT(refusal(replaced(kSweep, "    base:", "    bsae:")),
              testing::AllOf(HasSubstr("models[0].bsae"), HasSubstr("'base'")));
  EXPECT_THAT(refusal(replaced(kSweep, "samples: 10", "samples: {4K: , 8K: 1}")),
              HasSubstr("samples.4K: this key is required, and has no value"));
  EXPECT_THAT(refusal(replaced(kSweep, "  - name: pair\n    base:", "  - base:")),
              HasSubstr("models[0].name: this key is required"));
}

TEST(Sweep, ErrorsOfWhatIsReadElsewhereHaveTheirPlace) {
  EXPECT_THAT(refusal(kSweep + "protocol: lmeval\n"), HasSubstr("s.yaml:11:11: protocol: "));
  EXPECT_THAT(refusal(kSweep + "haystack: {kind: kjvv}\n"),
              HasSubstr("s.yaml:11:18: haystack.kind: there is no kind of haystack 'kjvv'"));
  EXPECT_THAT(refusal(kSweep + "haystack: {kind: essays}\n"),
              HasSubstr("haystack.path: essays needs `path`: which folder"));
  EXPECT_THAT(refusal(kSweep + "seed: -1\n"), HasSubstr("s.yaml:11:7: seed: "));
  EXPECT_THAT(refusal(replaced(kSweep, "[base, sft", "[bsae, sft")),
              testing::AllOf(HasSubstr("did you mean 'base'"), HasSubstr("qk-pro-exact")));
}

TEST(Sweep, EverythingThatIsWrongIsSaidAtOnce) {
  const std::string text =
      replaced(replaced(kSweep, "samples: 10", "samples: many"), "checkpoints/base", "[]") +
      "  - {name: second, base: b, variants: [base, qkk, {method: qk-por}], bsae: c}\n"
      "protocoll: niah\nseed: -1\n"
      "runtime: {dtype: fp8, threads: none, mark_memory_mib: -1, chunk: 3}\n"
      "generation: {max_new_tokens: none}\n";
  const std::string all = refusal(text, {{"report.caveat", "x"}});
  EXPECT_THAT(all, testing::StartsWith("s.yaml: 13 things are wrong\n  ")) << all;
  for (const char* one :
       {"\n  s.yaml:5:10: samples: expected an integer",
        "\n  s.yaml:13:7: seed: ", "\n  s.yaml:8:11: models[0].base: expected text, got a list",
        "\n  s.yaml:11:39: models[1].variants: 'qkk' is not a variant",
        "models[1].variants[2].method: ",
        "\n  s.yaml:11:70: models[1].bsae: unknown key, did you mean 'base'?",
        "\n  s.yaml:12:1: protocoll: unknown key, did you mean 'protocol'?",
        "\n  s.yaml:14:18: runtime.dtype: expected auto, fp32 or bf16",
        "runtime.threads: ", "runtime.mark_memory_mib: ", "runtime.chunk: unknown key",
        "generation.max_new_tokens: ", "\n  --set report.caveat: unknown key"})
    EXPECT_THAT(all, HasSubstr(one)) << one;
}

TEST(Sweep, WhatFollowsFromAnErrorIsNotSaid) {
  EXPECT_EQ(refusal(replaced(kSweep, "tasks: [s1, s2]", "tasks: [s9]")).find('\n'),
            std::string::npos);
  EXPECT_EQ(refusal(replaced(kSweep, "[8K, 4K]", "[8K, 4G]")).find('\n'), std::string::npos);
  EXPECT_EQ(refusal(replaced(kSweep, "    base: checkpoints/base\n", "")).find('\n'),
            std::string::npos);
  EXPECT_EQ(refusal(replaced(kSweep, "[base, sft, qk,", "[base, sfft, qk,")).find('\n'),
            std::string::npos);
}

TEST(Sweep, TwoModelsMayNotHaveOneName) {
  const std::string second = kSweep + "  - {name: pair, base: other}\n";
  EXPECT_THAT(refusal(second), HasSubstr("two models are called 'pair'"));
  EXPECT_EQ(refusal(replaced(second, "{name: pair", "{name: other")), "accepted");
}

TEST(Sweep, WhatAPlanKeepsIsReadAgainAsTheSameSweep) {
  const auto expect_kept = [](const SweepConfig& sweep) {
    const std::string kept = sweep_to_json(sweep);
    EXPECT_EQ(sweep_to_json(parse_sweep(kept, "plan.json", "/", {})), kept);
  };
  expect_kept(parse(kSweep));
  expect_kept(parse(kSweep, {{"generation.max_thinking_tokens", "100"},
                             {"prompt", "{answer_prefix: true, force: true}"}}));
  const SweepConfig from_files = parse(
      "name: x\nsamples_from: [{path: a, task: s2, length: 4K}, b]\n"
      "models: [{name: m, base: b}]\n");
  expect_kept(from_files);
  EXPECT_THAT(sweep_to_json(from_files), HasSubstr("4096"));
  expect_kept(parse(kSweep, {{"runtime.threads", "3"}, {"samples", "{max: 50, half_width: 0.1}"}}));
  const std::filesystem::path configs = std::filesystem::path(NIAH_SOURCE_DIR) / "configs";
  for (const char* name : {"reproduce.yaml", "nightly.yaml"})
    expect_kept(read_sweep(configs / name, {}));
}

TEST(Sweep, RefusesWhatMakesNoSense) {
  EXPECT_THAT(refusal(replaced(kSweep, "[s1, s2]", "[s1, s9]")), HasSubstr("'s9' is not a task"));
  EXPECT_THAT(refusal(replaced(kSweep, "[s1, s2]", "[s1, s1]")), HasSubstr("is listed twice"));
  EXPECT_THAT(refusal(replaced(kSweep, "[8K, 4K]", "[4K, 4096]")), HasSubstr("is listed twice"));
  EXPECT_THAT(refusal(replaced(kSweep, "samples: 10", "samples: 0")),
              HasSubstr("an integer from 1 to 1,000,000"));
  EXPECT_THAT(refusal(replaced(kSweep, "    sft: /abs/sft\n", "")), HasSubstr("needs `sft`"));
  EXPECT_THAT(refusal(replaced(kSweep, "qk,", "qkk,")), HasSubstr("s.yaml:"));
  EXPECT_THAT(refusal(replaced(kSweep, "qk,", "sft,")), HasSubstr("two variants are called 'sft'"));
  EXPECT_THAT(refusal(kSweep + "protocoll: niah\n"), HasSubstr("did you mean 'protocol'"));
  EXPECT_THAT(refusal(kSweep + "runtime: {dtype: fp16}\n"),
              HasSubstr("expected auto, fp32 or bf16"));
  EXPECT_THAT(refusal(kSweep + "generation: {max_new_tokens: 0}\n"),
              HasSubstr("an integer from 1 to 1,000,000"));
  EXPECT_THAT(refusal(kSweep + "haystack: {kind: kjvv}\n"), HasSubstr("kjv"));
}

}  // namespace
}  // namespace niah
