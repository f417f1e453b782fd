#include "models/tokenizer/bpe_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "harness/base/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "tests/growth.h"

namespace niah::models {
namespace {

/// All bytes as tokens, and random merges of existing tokens.
BpeDefinition random_definition(unsigned seed, int merges) {
  BpeDefinition out;
  std::vector<std::string> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    out.vocab[byte_symbol(byte)] = static_cast<TokenId>(byte);
  }
  for (const char* letter : {"a", "b", "c"}) tokens.emplace_back(letter);
  std::mt19937 draw(seed);
  while (static_cast<int>(out.merges.size()) < merges) {
    const std::string left = tokens[draw() % tokens.size()], right = tokens[draw() % tokens.size()];
    if (left.size() + right.size() > 12) continue;
    out.merges.emplace_back(left, right);
    if (out.vocab.emplace(left + right, static_cast<TokenId>(out.vocab.size())).second) {
      tokens.push_back(left + right);
    }
  }
  return out;
}

/// BPE by definition: merges the leftmost pair of lowest rank until there is none.
std::vector<TokenId> merge_by_definition(const BpeDefinition& definition, const std::string& word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  while (true) {
    std::size_t best_rank = definition.merges.size(), best = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      // If a file lists a pair twice, the last entry counts.
      for (std::size_t rank = definition.merges.size(); rank-- > 0;) {
        if (definition.merges[rank] != std::pair(parts[i], parts[i + 1])) continue;
        if (rank < best_rank) {
          best_rank = rank;
          best = i;
        }
        break;
      }
    }
    if (best_rank == definition.merges.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<TokenId> ids;
  for (const std::string& part : parts) ids.push_back(definition.vocab.at(part));
  return ids;
}

std::vector<TokenId> encode(const BpeModel& model, std::string_view word) {
  std::vector<TokenId> ids;
  model.encode(word, ids);
  return ids;
}

TEST(BpeModel, MergesByRankWhateverTheLength) {
  std::mt19937 draw(9);
  for (unsigned seed = 0; seed < 20; ++seed) {
    const BpeDefinition definition = random_definition(seed, 40);
    const BpeModel model(definition, "test");
    for (const std::size_t size : {0, 1, 2, 3, 7, 30, 47, 48, 49, 50, 120}) {
      std::string word;
      while (word.size() < size) word += "abc"[draw() % 3];
      ASSERT_EQ(encode(model, word), merge_by_definition(definition, word)) << word;
    }
  }
}

TEST(BpeModelLong, LongWordsTakeTimeInProportion) {
  const BpeModel model(random_definition(1, 40), "test");
  std::string word;
  while (word.size() < 1'000'000) word += "abcab";
  EXPECT_GT(encode(model, word).size(), 50'000u);
  EXPECT_LT(growth_times_four(
                word.size() / 4,
                [&](std::size_t size) { encode(model, std::string_view(word).substr(0, size)); }),
            kMostLinearGrowth);
}

TEST(BpeModel, IgnoreMergesTakesWholeWordsFirst) {
  BpeDefinition definition = random_definition(2, 0);
  definition.vocab["abc"] = 256;
  EXPECT_THAT(encode(BpeModel(definition, "test"), "abc"), testing::SizeIs(3));
  definition.ignore_merges = true;
  EXPECT_THAT(encode(BpeModel(definition, "test"), "abc"), testing::ElementsAre(256));
}

TEST(BpeModel, UnknownBytes) {
  BpeDefinition definition = random_definition(3, 0);
  definition.vocab.erase("x");
  EXPECT_THROW(encode(BpeModel(definition, "test"), "axxa"), DataError);
  definition.vocab["<unk>"] = 300;
  definition.unk_token = "<unk>";
  const auto a = definition.vocab.at("a");
  EXPECT_THAT(encode(BpeModel(definition, "test"), "axxa"), testing::ElementsAre(a, 300, 300, a));
  definition.fuse_unk = true;
  EXPECT_THAT(encode(BpeModel(definition, "test"), "axxa"), testing::ElementsAre(a, 300, a));
}

TEST(BpeModel, RefusesWhatCannotBe) {
  const auto expect_refused = [](auto change, const char* reason) {
    BpeDefinition definition = random_definition(4, 5);
    change(definition);
    try {
      const BpeModel model(definition, "some/tokenizer.json");
      ADD_FAILURE() << reason;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("some/tokenizer.json"),
                                               testing::HasSubstr(reason)));
    }
  };
  expect_refused([](auto& d) { d.vocab["zz"] = 7; }, "id 7 stands for two tokens");
  expect_refused([](auto& d) { d.vocab["zz"] = BpeModel::kMaxId + 1; }, "\"zz\" has id");
  expect_refused([](auto& d) { d.vocab["zz"] = -1; }, "\"zz\" has id -1");
  expect_refused([](auto& d) { d.merges.emplace_back("a", "QQ"); }, "merge 5 (\"a\" and \"QQ\")");
  expect_refused([](auto& d) { d.merges.emplace_back("x", "y"); }, "needs the token \"xy\"");
  expect_refused([](auto& d) { d.unk_token = "<none>"; }, "<none>");
}

TEST(ByteAlphabet, CoversEveryByteOnce) {
  std::string all;
  for (unsigned byte = 0; byte < 256; ++byte) all += byte_symbol(byte);
  const auto bytes = bytes_of_symbols(all);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 256u);
  for (unsigned byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(static_cast<unsigned char>((*bytes)[byte]), byte);
  }
  EXPECT_EQ(byte_symbol(' '), "Ġ");
  EXPECT_EQ(byte_symbol('\n'), "Ċ");
  EXPECT_FALSE(bytes_of_symbols("a b"));
  EXPECT_FALSE(bytes_of_symbols("中"));
}

}  // namespace
}  // namespace niah::models
