#include "models/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "models/tokenizer/tokenize_lines.h"
#include "tests/models/tokenizer/cases.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah::models {
namespace {

const std::vector<std::string> kSeamParts = {
    "'s", "'LL",    " the", "License", "work", " ",  "  ", "\n",      "\r\n", "\t",
    "7",  "42",     "2024", ".",       ",",    " (", "<|", "<|end|>", "|>",   "end",
    "é",  "\u0301", "中",   "한",      "😀",    "x",  "A",  "\u0323",  "'",    "word"};

class Seams : public testing::TestWithParam<std::string> {};

TEST_P(Seams, AreExactWhereTheyAreSaidToBe) {
  const auto tokenizer = open_tokenizer(data_folder(GetParam()));
  const auto texts = random_texts(kSeamParts, 8000, 4);
  int exact = 0;
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    const std::string &left = texts[i], &right = texts[i + 1];
    if (!tokenizer->is_seam_exact(left, right)) continue;
    ++exact;
    auto joined = tokenizer->encode(left);
    const auto behind = tokenizer->encode(right);
    joined.insert(joined.end(), behind.begin(), behind.end());
    ASSERT_EQ(joined, tokenizer->encode(left + right)) << left << "|" << right;
  }
  EXPECT_GT(exact, 1000);
  EXPECT_TRUE(tokenizer->is_seam_exact("The end.", " Next sentence."));
  EXPECT_FALSE(tokenizer->is_seam_exact("The en", "d."));
  EXPECT_FALSE(tokenizer->is_seam_exact("The end. ", " Next"));
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Seams, testing::Values("gpt2", "llama3", "qwen"),
                         [](const auto& info) { return info.param; });

TEST(Tokenizer, SeamsAreNotPromisedWhereTheFileDoesMore) {
  for (const char* name : {"roberta", "other"}) {
    EXPECT_FALSE(open_tokenizer(data_folder(name))->is_seam_exact("The end.", " Next"));
  }
}

TEST(Tokenizer, KnowsWhetherCountsAddAtSpaces) {
  for (const char* name : {"gpt2", "llama3", "qwen"})
    EXPECT_TRUE(open_tokenizer(data_folder(name))->counts_add_at_spaces()) << name;
  for (const char* name : {"roberta", "other", "sp_bpe"})
    EXPECT_FALSE(open_tokenizer(data_folder(name))->counts_add_at_spaces()) << name;
}

TEST(Tokenizer, CountsAddAtSpacesWhereItSaysSo) {
  const std::vector<std::string> parts = {"word",    " the",   "!",  "4", " (x)",
                                          "<|end|>", "\u00e9", "'s", "~"};
  int promised = 0;
  for (const char* name : {"gpt2", "llama3", "qwen", "roberta", "other", "unknown", "sp_unigram",
                           "sp_bpe", "sp_squeeze"}) {
    const auto tokenizer = open_tokenizer(data_folder(name));
    if (!tokenizer->counts_add_at_spaces()) continue;
    ++promised;
    const auto texts = random_texts(parts, 2000, 9);
    for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
      const std::string left = texts[i] + ".", right = " next" + texts[i + 1];
      ASSERT_EQ(tokenizer->count(left) + tokenizer->count(right), tokenizer->count(left + right))
          << name << ": " << left << "|" << right;
    }
  }
  EXPECT_GE(promised, 3);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const auto tokenizer = open_tokenizer(data_folder("qwen"));
  EXPECT_THROW(tokenizer->encode("a\xFF"), DataError);
  EXPECT_THROW(tokenizer->count("a\xFF"), DataError);
  EXPECT_THROW(tokenizer->decode({100000}), DataError);
  EXPECT_THROW(tokenizer->decode({-1}), DataError);
}

TEST(Tokenizer, WhatAModelSaysMayHoldIdsThatStandForNothing) {
  for (const char* name : {"qwen", "gpt2"}) {
    const auto tokenizer = open_tokenizer(data_folder(name));
    const auto ids = tokenizer->encode("It is 7 é.");
    EXPECT_EQ(tokenizer->decode_output(ids), "It is 7 é.");
    auto said = ids;
    said.insert(said.begin() + 1, 1'000'000);
    said.push_back(-1);
    EXPECT_THROW(tokenizer->decode(said), DataError);
    EXPECT_EQ(tokenizer->decode_output(said), "I\uFFFDt is 7 é.\uFFFD") << name;
  }
}

TEST(Tokenizer, NamesWhatIsMissing) {
  const TemporaryFolder folder;
  const auto refusal = [](const std::filesystem::path& path) -> std::string {
    return refusal_of([&] { open_tokenizer(path); });
  };
  for (const auto& missing : {folder.path(), folder.path() / "tokenizer.json"})
    EXPECT_THAT(refusal(missing), testing::HasSubstr(missing.string()));
  EXPECT_THAT(refusal(folder.write("tokenizer.bin", "x")), testing::HasSubstr("tokenizer.bin"));
}

TEST(Tokenizer, HashCoversFileAndConfig) {
  const auto qwen = open_tokenizer(data_folder("qwen"));
  EXPECT_EQ(qwen->sha256().size(), 64u);
  EXPECT_EQ(qwen->sha256(), open_tokenizer(data_folder("qwen") / "tokenizer.json")->sha256());
  EXPECT_NE(qwen->sha256(), open_tokenizer(data_folder("llama3"))->sha256());
}

TEST(Tokenizer, DescribesItself) {
  EXPECT_EQ(open_tokenizer(data_folder("qwen"))->description(),
            "byte-level BPE, 703 tokens, nothing in front of a prompt");
  EXPECT_EQ(open_tokenizer(data_folder("llama3"))->description(),
            "byte-level BPE, 702 tokens, <|begin|> in front of a prompt");
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  expect_threads_agree(*open_tokenizer(data_folder("gpt2_files")),
                       *open_tokenizer(data_folder("gpt2_files")),
                       random_texts(kSeamParts, 1500, 10));
}

TEST(TokenizeLines, WritesOneObjectALine) {
  const auto tokenizer = open_tokenizer(data_folder("gpt2"));
  std::istringstream in("\"a\\u2028\"\n\n\"\"\n");
  std::string out;
  tokenize_lines(
      in, [&](std::string_view text) { out += text; }, *tokenizer);
  const auto ids = tokenizer->encode("a\u2028");
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(out, "{\"ids\":[" + std::to_string(ids[0]) + "," + std::to_string(ids[1]) + "," +
                     std::to_string(ids[2]) + "," + std::to_string(ids[3]) +
                     "],\"text\":\"a\\u2028\"}\n{\"ids\":[],\"text\":\"\"}\n");
}

TEST(TokenizeLines, NamesTheBadLine) {
  const auto tokenizer = open_tokenizer(data_folder("gpt2"));
  for (const std::string bad : {"plain", "7", "\"\\ud800\"", "\"a"}) {
    std::istringstream in("\"good\"\n" + bad + "\n");
    try {
      tokenize_lines(
          in, [](std::string_view) {}, *tokenizer);
      ADD_FAILURE() << bad;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("line 2"));
    }
  }
}

TEST(TokenizeLines, LinesHaveABoundAndTheLastNeedsNoEnd) {
  const auto tokenizer = open_tokenizer(data_folder("gpt2"));
  const auto ids_of = [&](const std::string& text) {
    std::istringstream in(text);
    std::string out;
    tokenize_lines(
        in, [&](std::string_view line) { out += line; }, *tokenizer, 8);
    return out;
  };
  EXPECT_EQ(ids_of("\"aaaaaa\""), ids_of("\"aaaaaa\"\n"));
  EXPECT_THROW(ids_of("\"aaaaaaa\"\n"), DataError);
  EXPECT_THROW(ids_of(std::string(1000, 'a')), DataError) << "no line ends at all";
}

}  // namespace
}  // namespace niah::models
