#include "harness/engine/prompt_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"

namespace niah {
namespace {

using testing::HasSubstr;

/// One token per byte, with a BOS before each prompt.
class Bytes : public models::Tokenizer {
 public:
  explicit Bytes(std::vector<models::TokenId> prefix) : prefix_(std::move(prefix)) {}
  std::vector<models::TokenId> encode(std::string_view text) const override {
    std::vector<models::TokenId> ids;
    for (const char c : text) ids.push_back(c == '^' ? 1 : static_cast<unsigned char>(c));
    return ids;
  }
  bool is_seam_exact(std::string_view, std::string_view) const override { return true; }
  std::string decode(const std::vector<models::TokenId>& ids) const override {
    return {ids.begin(), ids.end()};
  }
  bool knows(models::TokenId id) const override { return id >= 0 && id < 256; }
  std::int64_t vocab_size() const override { return 256; }
  const std::vector<models::TokenId>& prefix_ids() const override { return prefix_; }
  const std::vector<models::TokenId>& suffix_ids() const override { return none_; }
  std::optional<models::TokenId> eos_id() const override { return std::nullopt; }
  std::string description() const override { return "bytes"; }
  std::string sha256() const override { return "0"; }

 private:
  std::vector<models::TokenId> prefix_, none_;
};

SweepConfig sweep(PromptConfig prompt, std::int64_t thinking = 0) {
  SweepConfig config;
  config.prompt = std::move(prompt);
  config.generation.max_thinking_tokens = thinking;
  return config;
}

TEST(PromptFormat, RawIsTheSampleItself) {
  const Bytes tokenizer({});
  const PromptFormat format(sweep({}), tokenizer);
  EXPECT_EQ(format.frame("What is it?", "It is"), "What is it? It is");
  EXPECT_EQ(format.overhead(), 0);
  EXPECT_EQ(format.description(), "raw");
}

TEST(PromptFormat, ALongAnswersRoomIsTakenOffThePrompt) {
  const Bytes tokenizer({});
  SweepConfig config = sweep({});
  config.generation.max_new_tokens = 100;
  EXPECT_EQ(PromptFormat(config, tokenizer).overhead(), 0) << "every length has room for 128";
  config.generation.max_new_tokens = 500;
  EXPECT_EQ(PromptFormat(config, tokenizer).overhead(), 372);
  const std::int64_t plain = PromptFormat(sweep({}, 1000), tokenizer).overhead();
  config.generation.max_thinking_tokens = 1000;
  EXPECT_EQ(PromptFormat(config, tokenizer).overhead(), plain + 372);
}

TEST(PromptFormat, ChatmlPutsTheQuestionInAUsersTurn) {
  const Bytes tokenizer({});
  PromptConfig chat;
  chat.format = "chatml";
  EXPECT_EQ(PromptFormat(sweep(chat), tokenizer).frame("Q", "A is"),
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA is");
  chat.system = "Be brief.";
  chat.answer_prefix = false;
  const PromptFormat format(sweep(chat, 500), tokenizer);
  const std::string framed = format.frame("Q", "A is");
  EXPECT_EQ(framed,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
            "<|im_start|>assistant\n");
  // The format's text, minus the space and the answer's beginning that a raw prompt has, plus the
  // room for the thought.
  EXPECT_EQ(format.overhead(), static_cast<std::int64_t>(framed.size()) - 3 + 500);
}

TEST(PromptFormat, AFrameThatOpensAThoughtIsKnownToHaveDoneSo) {
  const Bytes tokenizer({});
  PromptConfig custom;
  custom.format = "custom";
  custom.prefix = "User: ";
  custom.suffix = "\nAssistant: <think>\n";
  custom.answer_prefix = false;
  EXPECT_EQ(PromptFormat(sweep(custom, 100), tokenizer).open_thought(), "<think>");
  custom.suffix += "</think>";
  EXPECT_EQ(PromptFormat(sweep(custom), tokenizer).open_thought(), "");
}

TEST(PromptFormat, TheBosStandsOnceOrNotAtAll) {
  const Bytes tokenizer({1});
  PromptConfig custom;
  custom.format = "custom";
  custom.prefix = "^[INST]";
  try {
    PromptFormat(sweep(custom), tokenizer);
    FAIL() << "two BOS tokens";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("appear twice"));
  }
  custom.bos = false;
  const PromptFormat format(sweep(custom), tokenizer);
  EXPECT_EQ(format.with_bos_policy(tokenizer.encode_prompt("^a")),
            (std::vector<models::TokenId>{1, 'a'}));
}

}  // namespace
}  // namespace niah
