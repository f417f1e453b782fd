// Cost estimates of asking servers, without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "harness/cost/served_price.h"
#include "tests/paths.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

SweepConfig sweep(const std::string& served, const Overrides& more = {}) {
  return parse_sweep(
      fmt::format(
          "name: priced\nhaystack: {{kind: prose}}\ntasks: [s1]\nlengths: [1K]\nsamples: 4\n"
          "models: [{{name: m, served: {{url: 'http://nobody.invalid/v1', model: q{}}}}}]\n"
          "tokenizer: " NIAH_SOURCE_DIR "/models/zoo/tokenizer\n",
          served),
      "test", "/", more);
}

ServedPrice price(const std::string& served, const Overrides& more = {}) {
  const std::vector<ServedPrice> prices = price_served(WorkList(sweep(served, more)));
  EXPECT_EQ(prices.size(), 1U);
  return prices.at(0);
}

TEST(ServedPrice, CountsTokensInAndOut) {
  const ServedPrice plain = price("");
  EXPECT_EQ(plain.label, "S1@1K");
  EXPECT_EQ(plain.variant, "m served");
  EXPECT_EQ(plain.samples, 4);
  EXPECT_EQ(plain.requests, 4);
  EXPECT_GT(plain.tokens_in, 4 * 700);
  EXPECT_LE(plain.tokens_in, 4 * (1024 - 128));
  EXPECT_EQ(plain.tokens_out, 4 * 128);
}

TEST(ServedPrice, WhatIsAskedTwiceIsPaidTwice) {
  const ServedPrice plain = price(""), probed = price(", cache_probe: 1");
  EXPECT_EQ(probed.samples, 4);
  EXPECT_EQ(probed.requests, 8);
  EXPECT_EQ(probed.tokens_in, 2 * plain.tokens_in);
  EXPECT_EQ(probed.tokens_out, 2 * plain.tokens_out);
}

TEST(ServedPrice, ScoresCostThePromptAgainWithTheExpectedAnswer) {
  const ServedPrice plain = price(""), scored = price(", log_probs: echo");
  EXPECT_EQ(scored.requests, 8);
  EXPECT_GT(scored.tokens_in, 2 * plain.tokens_in);
  EXPECT_LT(scored.tokens_in, 2 * plain.tokens_in + 4 * 30);
  EXPECT_EQ(scored.tokens_out, plain.tokens_out + 4);
}

TEST(ServedPrice, ThoughtsHaveRoomOfTheirOwn) {
  EXPECT_EQ(price("", {{"generation.max_thinking_tokens", "200"}}).tokens_out, 4 * (128 + 200));
}

TEST(ServedPrice, IsSaidForPeople) {
  const SweepConfig chat = sweep(", api: chat, key_env: NIAH_NO_SUCH_KEY", {{"samples", "2"}});
  const std::string text = describe_served(price_served(WorkList(chat)), chat);
  EXPECT_THAT(text, AllOf(HasSubstr("S1@1K"), HasSubstr("m served"), HasSubstr("in all 2 requests"),
                          HasSubstr("at most 256 tokens out"), HasSubstr("chat template"),
                          HasSubstr("No server was asked")));
  const SweepConfig plain = sweep("");
  EXPECT_THAT(describe_served(price_served(WorkList(plain)), plain),
              Not(HasSubstr("chat template")));
}

TEST(ServedPrice, StaysATableWhateverVariantsAreCalled) {
  const std::string long_name = "a checkpoint λ that was served with rather a lot of words";
  std::vector<ServedPrice> prices(2);
  prices[0] = {.label = "word-problems", .variant = "m served", .samples = 4};
  prices[1] = {.label = "S1@1K", .variant = long_name + "\x1b[2J", .samples = 4};
  std::istringstream lines(describe_served(prices, sweep("")));
  std::vector<std::string> table(3);
  for (std::string& line : table) std::getline(lines, line);
  const auto columns = [](const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  };
  EXPECT_LE(columns(table[0]), 100);
  for (const std::string& line : table) EXPECT_EQ(columns(line), columns(table[0])) << line;
  EXPECT_THAT(table[2], AllOf(HasSubstr("S1@1K          a checkpoint λ that was served with"),
                              HasSubstr("…  "), Not(HasSubstr("\x1b"))));
}

}  // namespace
}  // namespace niah
