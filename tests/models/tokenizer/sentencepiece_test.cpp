#include "models/tokenizer/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "models/tokenizer/sentencepiece_model.h"
#include "tests/models/tokenizer/cases.h"
#include "tests/temporary_folder.h"

namespace niah::models {
namespace {

const std::vector<std::string> kPieceParts = {
    " ", "  ", "   ", "the", " the", "License", "work", "\n",       "\n\n", "\t",  "1",   "42",
    ".", ", ", "'s",  "é",   "中",   "😀",       "▁",    "\xCC\x81", "q",    "zzz", " a ", "\r\n"};

std::filesystem::path model_file(const std::string& name) {
  return data_folder(name) / "tokenizer.model";
}

class SentencePieceCases : public testing::TestWithParam<std::string> {};

TEST_P(SentencePieceCases, GiveTheReferenceIds) {
  const auto cases = read_cases(data_folder(GetParam()) / "cases.jsonl");
  expect_cases(*open_tokenizer(data_folder(GetParam())), cases);
}

TEST_P(SentencePieceCases, WordByWordEqualsWhole) {
  const auto words = open_sentencepiece(model_file(GetParam()));
  const auto whole = open_sentencepiece(model_file(GetParam()), WordCaching::kNever);
  for (const std::string& text : random_texts(kPieceParts, 3000, 5)) {
    ASSERT_EQ(words->encode(text), whole->encode(text)) << testing::PrintToString(text);
    ASSERT_EQ(words->count(text), whole->count(text));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SentencePieceCases,
                         testing::Values("sp_unigram", "sp_bpe", "sp_squeeze"),
                         [](const auto& info) { return info.param; });

SentencePieceModel parsed(const std::string& name) {
  const auto file = model_file(name);
  return parse_sentencepiece_model(read_file(file, "test"), file);
}

TEST(SentencePieceModel, KnowsWhereWordsCanBeEncodedApart) {
  EXPECT_TRUE(parsed("sp_unigram").splits_at_spaces());
  EXPECT_TRUE(parsed("sp_bpe").splits_at_spaces());
  EXPECT_FALSE(parsed("sp_squeeze").splits_at_spaces());

  SentencePieceModel crossing = parsed("sp_unigram");
  crossing.pieces.push_back({"of▁the", SentencePieceModel::PieceType::kNormal});
  EXPECT_FALSE(crossing.splits_at_spaces());

  SentencePieceModel spaces = parsed("sp_unigram");
  spaces.pieces.push_back({"▁▁▁the", SentencePieceModel::PieceType::kNormal});
  EXPECT_TRUE(spaces.splits_at_spaces());

  SentencePieceModel normalizing = parsed("sp_unigram");
  normalizing.has_charsmap = true;
  EXPECT_FALSE(normalizing.splits_at_spaces());
}

TEST(SentencePieceModel, AnUnknownSpaceKeepsTheTextTogether) {
  SentencePieceModel model{.pieces = {{"a", SentencePieceModel::PieceType::kNormal}},
                           .remove_extra_whitespaces = false};
  EXPECT_FALSE(model.splits_at_spaces());
  model.pieces.push_back({"▁", SentencePieceModel::PieceType::kNormal});
  EXPECT_TRUE(model.splits_at_spaces());
}

TEST(SentencePiece, ConfigDecidesWhatStandsAroundAPrompt) {
  const auto bare = open_tokenizer(data_folder("sp_unigram"));
  EXPECT_THAT(bare->prefix_ids(), testing::IsEmpty());
  EXPECT_THAT(bare->suffix_ids(), testing::IsEmpty());
  EXPECT_EQ(bare->encode_prompt("the work"), bare->encode("the work"));
  EXPECT_EQ(bare->eos_id(), 3);

  const auto llama = open_tokenizer(data_folder("sp_bpe"));
  EXPECT_THAT(llama->prefix_ids(), testing::ElementsAre(1));
  EXPECT_THAT(llama->suffix_ids(), testing::IsEmpty());
  EXPECT_EQ(llama->encode_prompt("x").front(), 1);
}

TEST(SentencePiece, SeamsBeforeSpacesAreExact) {
  const auto tokenizer = open_tokenizer(data_folder("sp_unigram"));
  const auto texts = random_texts(kPieceParts, 400, 6);
  int exact = 0;
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    if (!tokenizer->is_seam_exact(texts[i], texts[i + 1])) continue;
    ++exact;
    auto joined = tokenizer->encode(texts[i]);
    const auto right = tokenizer->encode(texts[i + 1]);
    joined.insert(joined.end(), right.begin(), right.end());
    ASSERT_EQ(joined, tokenizer->encode(texts[i] + texts[i + 1]));
  }
  EXPECT_GT(exact, 50);
  EXPECT_FALSE(tokenizer->is_seam_exact("the wo", "rk"));
  EXPECT_FALSE(open_tokenizer(data_folder("sp_bpe"))->is_seam_exact("the", " work"));
}

TEST(SentencePiece, DecodeGivesTheTextBack) {
  const auto tokenizer = open_tokenizer(data_folder("sp_unigram"));
  for (const std::string& text : random_texts(kPieceParts, 500, 7)) {
    if (text.find("▁") != std::string::npos) continue;  // becomes a space, as in SentencePiece
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(SentencePiece, RefusesBadInput) {
  const auto tokenizer = open_tokenizer(data_folder("sp_unigram"));
  EXPECT_THROW(tokenizer->encode("ab\xFFz"), DataError);
  EXPECT_THROW(tokenizer->count("ab\xE2\x96"), DataError);
  EXPECT_THROW(tokenizer->decode({static_cast<TokenId>(tokenizer->vocab_size())}), DataError);
  EXPECT_THROW(tokenizer->decode({-1}), DataError);
}

TEST(SentencePiece, RefusesDamagedModels) {
  const TemporaryFolder folder;
  int refused = 0, cuts = 0;
  const std::string good = read_file(model_file("sp_unigram"), "test");
  for (std::size_t size = 0; size < good.size(); size += 97, ++cuts) {
    folder.write("tokenizer.model", good.substr(0, size));
    // A cut between two fields leaves a smaller model, which may be valid.
    try {
      const auto tokenizer = open_tokenizer(folder.path());
      tokenizer->encode("the work");
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("tokenizer.model"));
      ++refused;
    }
  }
  EXPECT_GT(refused, cuts / 2);
  folder.write("tokenizer.model", "not a model");
  EXPECT_THROW(open_tokenizer(folder.path()), DataError);
}

TEST(SentencePiece, ThreadsShareOneTokenizer) {
  expect_threads_agree(*open_tokenizer(data_folder("sp_unigram")),
                       *open_sentencepiece(model_file("sp_unigram"), WordCaching::kNever),
                       random_texts(kPieceParts, 2000, 8));
}

}  // namespace
}  // namespace niah::models
