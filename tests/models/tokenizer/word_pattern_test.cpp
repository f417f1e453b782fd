#include "models/tokenizer/word_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "harness/base/utf8.h"
#include "models/tokenizer/char_class.h"
#include "models/tokenizer/regex.h"
#include "models/tokenizer/regex_translation.h"
#include "tests/models/tokenizer/cases.h"

namespace niah::models {

void PrintTo(const WordPattern& pattern, std::ostream* out) { *out << regex_of(pattern); }

namespace {

const std::vector<std::string> kWordParts = {
    "'",  "'s",     "'S",     "'\u017f", "'ll",        "'LL",        "'re", "'vE",    "'d",
    "'m", "'t",     "word",   "A",       " the",       " ",          "  ",  "\t",     "\n",
    "\r", "\r\n",   ".",      "...",     "!?",         "(",          "7",   "42",     "123",
    "x1", "\u00a0", "\u3000", "\u2028",  "é",          "中文",       "한",  "\u0301", "\u0661",
    "½",  "😀",      "\u180e", "\u200b",  "\U00031350", "\U00010D40", "_"};

constexpr WordPattern kQwen{WordPattern::Family::kCl100k, 1};
constexpr WordPattern kLlama3{WordPattern::Family::kCl100k, 3};

std::vector<std::size_t> word_ends(const WordPattern& pattern, std::string_view text) {
  std::vector<std::size_t> ends;
  append_word_ends(pattern, text, 0, ends);
  return ends;
}

class WordPatterns : public testing::TestWithParam<WordPattern> {};

TEST_P(WordPatterns, MatchLikeTheirRegularExpression) {
  const Regex regex(translate_regex(regex_of(GetParam())));
  for (const std::string& text : random_texts(kWordParts, 20000, 1)) {
    std::vector<std::size_t> expected;
    std::size_t done = 0;
    regex.for_each_match(text, [&](std::size_t begin, std::size_t end) {
      ASSERT_EQ(begin, done);
      expected.push_back(end);
      done = end;
    });
    ASSERT_EQ(word_ends(GetParam(), text), expected) << testing::PrintToString(text);
  }
}

TEST_P(WordPatterns, AreFoundByTheirRegularExpression) {
  const auto found = find_word_pattern(regex_of(GetParam()));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->family, GetParam().family);
  EXPECT_EQ(found->max_digits, GetParam().max_digits);
}

TEST_P(WordPatterns, PartWhereTheySayTheyDo) {
  const auto texts = random_texts(kWordParts, 6000, 2);
  int parted = 0;
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    const std::string &left = texts[i], &right = texts[i + 1];
    if (left.empty() || right.empty()) continue;
    if (!parts_words(decode_before(left, left.size()).value, decode_at(right, 0).value)) continue;
    ++parted;
    auto expected = word_ends(GetParam(), left);
    append_word_ends(GetParam(), right, left.size(), expected);
    ASSERT_EQ(word_ends(GetParam(), left + right), expected)
        << testing::PrintToString(left) << testing::PrintToString(right);
  }
  EXPECT_GT(parted, 500);
}

std::string pattern_name(const testing::TestParamInfo<WordPattern>& info) {
  const std::string names[] = {"Gpt2", "Qwen", "Llama3"};
  return names[info.index];
}

INSTANTIATE_TEST_SUITE_P(Known, WordPatterns, testing::Values(kGpt2Pattern, kQwen, kLlama3),
                         pattern_name);

TEST(WordPattern, UnknownExpressionsAreNotGuessed) {
  EXPECT_FALSE(find_word_pattern(R"(\s+)"));
  EXPECT_FALSE(find_word_pattern(std::string(regex_of(kQwen)) + " "));
}

TEST(CharClass, FollowsTheReferenceBeyondTheLibraryVersions) {
  EXPECT_EQ(char_class(U'\U00010D4A'), CharClass::kLetter);  // Garay, Unicode 16
  EXPECT_EQ(char_class(U'\U00010D40'), CharClass::kNumber);
  EXPECT_EQ(char_class(U'\U0002EBF0'), CharClass::kLetter);  // Extension I, Unicode 15.1
  EXPECT_EQ(char_class(U'\u180e'), CharClass::kOther);       // not white space since Unicode 6.3
  EXPECT_EQ(char_class(U'\u0085'), CharClass::kSpace);
  EXPECT_EQ(char_class(U'\u001c'), CharClass::kOther);
  EXPECT_EQ(char_class(U'\u00bd'), CharClass::kNumber);
}

}  // namespace
}  // namespace niah::models
