#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "tests/machine.h"
#include "tests/models/tokenizer/cases.h"

namespace niah::models {
namespace {

class BpeCases : public testing::TestWithParam<std::string> {};

TEST_P(BpeCases, GiveTheReferenceIds) {
  const auto folder = data_folder(GetParam());
  expect_cases(*open_tokenizer(folder), read_cases(folder / "cases.jsonl"));
}

TEST_P(BpeCases, PutTheReferenceTokensAroundAPrompt) {
  const auto folder = data_folder(GetParam());
  const auto expected =
      nlohmann::json::parse(std::ifstream(folder / "prompt.json")).get<std::vector<TokenId>>();
  EXPECT_EQ(open_tokenizer(folder)->encode_prompt("the License"), expected);
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, BpeCases,
                         testing::Values("gpt2", "roberta", "llama3", "qwen", "other", "unknown"),
                         [](const auto& info) { return info.param; });

TEST(Bpe, VocabAndMergesAreTheSameTokenizer) {
  const auto files = open_tokenizer(data_folder("gpt2_files"));
  expect_cases(*files, read_cases(data_folder("gpt2") / "cases.jsonl"));
  EXPECT_EQ(files->eos_id(), 600);
  const auto by_file = open_tokenizer(data_folder("gpt2_files") / "merges.txt");
  EXPECT_EQ(by_file->sha256(), files->sha256());
}

TEST(Bpe, FullQwenGoldens) {
  NIAH_NEEDS_GOLDENS();
  const auto folder = *golden_folder() / "tokenizer";
  const auto tokenizer = open_tokenizer(folder);
  expect_cases(*tokenizer, read_cases(folder / "cases.jsonl"));
  EXPECT_EQ(tokenizer->vocab_size(), 151669);
  EXPECT_EQ(tokenizer->eos_id(), 151645);
  EXPECT_THAT(tokenizer->prefix_ids(), testing::IsEmpty());
}

}  // namespace
}  // namespace niah::models
