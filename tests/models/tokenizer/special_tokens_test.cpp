// What tokenizer_config.json adds to tokenizer.json, and comparing two tokenizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "models/tokenizer/tokenizer_json.h"
#include "tests/models/tokenizer/cases.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah::models {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// A tokenizer.json like Qwen's: 700 tokens, plus added tokens <|end|> 700, <|begin|> 701, <s> 702.
json qwen() { return json::parse(read_file(data_folder("qwen") / "tokenizer.json", "test")); }

std::shared_ptr<const Tokenizer> open_with(const json& config, const json& file = qwen()) {
  return parse_tokenizer_json(file.dump(), parse_tokenizer_config(config.dump(), "config"), "file");
}

std::string refusal(const json& config, const json& file = qwen()) {
  return refusal_of([&] { open_with(config, file); });
}

// <|endoftext|>, Qwen2Tokenizer's default for a missing pad_token, gets id 703 in transformers.
TEST(SpecialTokens, ThoseOfTheConfigAloneGetTheIdsOfTransformers) {
  const json config = {{"tokenizer_class", "Qwen2Tokenizer"},
                       {"bos_token", nullptr},
                       {"eos_token", "<|end|>"},
                       {"unk_token", nullptr},
                       {"additional_special_tokens", {"<|begin|>", "<ctx>"}}};
  const auto tokenizer = open_with(config);
  EXPECT_EQ(tokenizer->encode("<ctx>yes").front(), 704);
  EXPECT_THAT(tokenizer->encode("<|endoftext|><|begin|>"), ElementsAre(703, 701));
  EXPECT_EQ(tokenizer->decode({704}), "<ctx>");
  EXPECT_EQ(tokenizer->largest_text_id(), 699);

  json named = config;
  named["pad_token"] = "<|end|>";
  EXPECT_THAT(open_with(named)->encode("<ctx>"), ElementsAre(703));
  named["pad_token"] = nullptr;
  EXPECT_THAT(open_with(named)->encode("<ctx>"), ElementsAre(703));
  named["tokenizer_class"] = "PreTrainedTokenizerFast";
  named.erase("pad_token");
  EXPECT_THAT(open_with(named)->encode("<ctx>"), ElementsAre(703));
}

TEST(SpecialTokens, MayBeWrittenInEveryWayOfTransformers) {
  for (const json& more : {json{{"extra_special_tokens", {"<ctx>"}}},
                           json{{"extra_special_tokens", {{"context_token", "<ctx>"}}}},
                           json{{"additional_special_tokens", {{{"content", "<ctx>"}}}}},
                           json{{"mask_token", {{"content", "<ctx>"}, {"lstrip", false}}}}})
    EXPECT_THAT(open_with(more)->encode("<ctx>"), ElementsAre(703)) << more;
  EXPECT_THAT(refusal({{"additional_special_tokens", {7}}}),
              HasSubstr("additional_special_tokens"));
  EXPECT_THAT(refusal({{"additional_special_tokens", {""}}}), HasSubstr("empty"));
  EXPECT_THAT(refusal({{"extra_special_tokens", "<ctx>"}}), HasSubstr("extra_special_tokens"));
}

TEST(SpecialTokens, OnesInTheVocabularyKeepTheirId) {
  const auto plain = open_with(json::object());
  const auto ids = plain->encode("the");
  ASSERT_EQ(ids.size(), 1U);
  const auto tokenizer = open_with({{"additional_special_tokens", {"the"}}});
  EXPECT_EQ(tokenizer->vocab_size(), plain->vocab_size());
  EXPECT_EQ(tokenizer->encode("xthey")[1], ids.front());
}

TEST(SpecialTokens, SplitMeansThatTheyAreText) {
  const auto plain = open_with(json::object());
  const auto split = open_with({{"split_special_tokens", true}});
  EXPECT_EQ(plain->encode("<|end|> a").front(), 700);
  const auto ids = split->encode("<|end|> a");
  EXPECT_GT(ids.size(), 3U);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 700), 0);
  EXPECT_EQ(split->decode(ids), "<|end|> a");
  EXPECT_EQ(split->encode("some text"), plain->encode("some text"));
}

// Existing runs are identified by this hash, so it must not change unless the ids do.
TEST(SpecialTokens, ChangeTheContentHashOnlyWhereTheyChangeIds) {
  const auto hash = [](const json& config) {
    return std::pair(open_with(config)->sha256(), sha256_hex(qwen().dump() + config.dump()));
  };
  for (const json& same :
       {json::object(), json{{"eos_token", "<|end|>"}, {"split_special_tokens", false}},
        json{{"additional_special_tokens", {"<|begin|>", "<s>"}}}}) {
    const auto [now, before] = hash(same);
    EXPECT_EQ(now, before) << same;
  }
  for (const json& other :
       {json{{"split_special_tokens", true}}, json{{"additional_special_tokens", {"<ctx>"}}}}) {
    const auto [now, before] = hash(other);
    EXPECT_NE(now, before) << other;
  }
}

TEST(SpecialTokens, BosRulesThatContradictTheFileAreRefusedByName) {
  json puts = qwen();
  puts["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {702}}, {"tokens", {"<s>"}}}}}}};
  const json llama = {{"tokenizer_class", "LlamaTokenizerFast"},
                      {"bos_token", "<s>"},
                      {"eos_token", "<|end|>"},
                      {"unk_token", nullptr}};
  EXPECT_EQ(refusal(llama, puts), "accepted");
  EXPECT_THAT(refusal(llama), testing::AllOf(HasSubstr("LlamaTokenizerFast"),
                                             HasSubstr("add_bos_token"), HasSubstr("702")));
  json explicitly = llama;
  explicitly["add_bos_token"] = false;
  EXPECT_EQ(refusal(explicitly), "accepted");
  EXPECT_THAT(refusal(explicitly, puts), HasSubstr("add_bos_token"));
  explicitly["tokenizer_class"] = "PreTrainedTokenizerFast";
  EXPECT_THAT(refusal(explicitly, puts), HasSubstr("add_bos_token"));
  explicitly.erase("add_bos_token");
  EXPECT_EQ(refusal(explicitly, puts), "accepted");
  explicitly["add_eos_token"] = true;
  EXPECT_THAT(refusal(explicitly, puts), HasSubstr("add_eos_token"));
}

TEST(SpecialTokens, SentencePieceRefusesThoseThatItLacks) {
  const TemporaryFolder folder;
  std::filesystem::copy(data_folder("sp_bpe") / "tokenizer.model",
                        folder.path() / "tokenizer.model");
  const auto with = [&](const json& config) -> std::string {
    folder.write("tokenizer_config.json", config.dump());
    return refusal_of([&] { open_tokenizer(folder.path()); });
  };
  EXPECT_EQ(with({{"bos_token", "<s>"}, {"unk_token", "<unk>"}}), "accepted");
  EXPECT_THAT(with({{"additional_special_tokens", {"<ctx>"}}}), HasSubstr("<ctx>"));
}

TEST(SameIds, HoweverTheFileIsSpelt) {
  const json file = qwen();
  const auto original = open_with(json::object(), file);

  json strings = file;
  for (json& merge : strings["model"]["merges"])
    if (merge.is_array())
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    else
      merge =
          json::array({merge.get<std::string>().substr(0, merge.get<std::string>().find(' ')),
                       merge.get<std::string>().substr(merge.get<std::string>().find(' ') + 1)});
  EXPECT_TRUE(make_same_ids(*original, *open_with(json::object(), strings)));
  EXPECT_NE(original->sha256(), open_with(json::object(), strings)->sha256());

  json called = file;
  called["truncation"] = {{"max_length", 8}, {"strategy", "LongestFirst"}};
  called["padding"] = {{"strategy", "BatchLongest"}};
  EXPECT_TRUE(make_same_ids(*original, *open_with(json::object(), called)));

  EXPECT_TRUE(make_same_ids(*original, *open_with({{"model_max_length", 10}}, file)));
}

TEST(SameIds, ButNotWhereTablesOrRulesDiffer) {
  const json file = qwen();
  const auto original = open_with(json::object(), file);
  const auto differs = [&](const std::string& pointer, const json& value) {
    json changed = file;
    changed[json::json_pointer(pointer)] = value;
    return !make_same_ids(*original, *open_with(json::object(), changed));
  };
  EXPECT_TRUE(differs("/model/merges/0", file["model"]["merges"][1]));
  EXPECT_TRUE(differs("/normalizer", nullptr));
  EXPECT_TRUE(differs("/added_tokens/0/lstrip", true));
  EXPECT_TRUE(differs("/added_tokens/0/content", "<|stop|>"));
  EXPECT_TRUE(differs("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\p{L}"));
  EXPECT_FALSE(make_same_ids(*original, *open_with({{"split_special_tokens", true}}, file)));
  EXPECT_FALSE(make_same_ids(*original, *open_tokenizer(data_folder("gpt2"))));
}

TEST(TokenizerFile, GitLfsPointersAndKeysTwiceAreRefused) {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& content) -> std::string {
    folder.write("tokenizer.json", content);
    return refusal_of([&] { open_tokenizer(folder.path()); });
  };
  EXPECT_THAT(with("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 11422654\n"),
              HasSubstr("Git LFS pointer"));
  std::string twice = qwen().dump();
  twice.replace(twice.find("\"model\":"), 8, "\"model\":null,\"model\":");
  EXPECT_THAT(with(twice), HasSubstr("'model' is there twice"));
}

}  // namespace
}  // namespace niah::models
