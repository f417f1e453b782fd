#include "models/tokenizer/prompt_encoder.h"

#include <gtest/gtest.h>

#include <random>

#include "harness/base/error.h"
#include "tests/models/tokenizer/cases.h"

namespace niah::models {
namespace {

/// Sentences whose seams are hard to tokenize: accents, digits, runs of spaces, special tokens.
std::string haystack(std::mt19937& random, int words) {
  const std::vector<std::string> parts = {
      "the",  "license", "caf\u00e9", "42",    "and,",   "so on.", "It's", "中文", "<|end|>",
      "(see", "x)",      "a  b",      "works", "\u0323", "end",    "日本", "\n\n", "\U0001f600"};
  std::string text;
  for (int i = 0; i < words; ++i) {
    if (i > 0) text += ' ';
    text += parts[random() % parts.size()];
  }
  return text;
}

/// `text` with `needle` inserted at a word boundary near the fraction `share` of its length.
std::string with_needle(const std::string& text, double share, const std::string& needle) {
  std::size_t at =
      text.find(' ', static_cast<std::size_t>(share * static_cast<double>(text.size())));
  if (at == std::string::npos) at = text.size();
  return text.substr(0, at) + " " + needle + text.substr(at);
}

class PromptEncoding : public testing::TestWithParam<std::string> {};

TEST_P(PromptEncoding, IsWhatTheTokenizerMakesOfTheWholePrompt) {
  const auto tokenizer = open_tokenizer(data_folder(GetParam()));
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    PromptEncoder encoder(*tokenizer);
    const std::string text = haystack(random, 1500);
    for (int sample = 0; sample < 8; ++sample) {
      std::string prompt =
          "Find the number.\n" + text.substr(0, text.rfind(' ', text.size() - random() % 300));
      for (std::uint32_t needles = 1 + random() % 3; needles > 0; --needles)
        prompt = with_needle(prompt, static_cast<double>(random() % 101) / 100,
                             "The number for key-" + std::to_string(random()) +
                                 " is: " + std::to_string(random()) + ".");
      prompt += "\nWhat is the number for key-" + std::to_string(random()) + "?";
      ASSERT_EQ(encoder.encode_prompt(prompt), tokenizer->encode_prompt(prompt))
          << round << " " << sample;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, PromptEncoding,
                         testing::Values("gpt2", "llama3", "qwen", "roberta", "other", "unknown",
                                         "sp_unigram", "sp_bpe", "sp_squeeze"),
                         [](const auto& info) { return info.param; });

TEST(PromptEncoder, EncodesACommonHaystackOnce) {
  const auto tokenizer = open_tokenizer(data_folder("qwen"));
  std::mt19937 random(5);
  std::string text;
  for (int i = 0; i < 20000; ++i) text += " word" + std::to_string(random() % 1000);
  PromptEncoder encoder(*tokenizer);
  encoder.encode_prompt(with_needle(text, 0.3, "One needle is here: 123."));
  const std::size_t first = encoder.encoded_bytes();
  for (const double share : {0.0, 0.1, 0.3, 0.5, 1.0})
    encoder.encode_prompt(with_needle(text, share, "Another needle, 4567, is here."));
  EXPECT_GE(first, text.size());
  EXPECT_LT(encoder.encoded_bytes() - first, std::size_t{5} * 6000);
}

TEST(PromptEncoder, TakesAnyTextAfterAny) {
  const auto tokenizer = open_tokenizer(data_folder("qwen"));
  PromptEncoder encoder(*tokenizer);
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("a b"), std::string(5000, 'a'),
        std::string("b"), std::string(), std::string(5000, ' '), std::string(6000, 'a')})
    EXPECT_EQ(encoder.encode_prompt(text), tokenizer->encode_prompt(text)) << text.size();
  EXPECT_THROW(encoder.encode_prompt("bad \xFF byte"), DataError);
  EXPECT_EQ(encoder.encode_prompt("a b"), tokenizer->encode_prompt("a b"));
}

}  // namespace
}  // namespace niah::models
