#include "tests/models/tokenizer/cases.h"
#include "tests/paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

namespace niah::models {

std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in) << file;
  std::vector<Case> cases;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    if (!json.contains("text")) continue;
    cases.push_back({json["text"], json["ids"], json["decoded"]});
  }
  return cases;
}

std::filesystem::path data_folder(const std::string& name) {
  return std::filesystem::path(NIAH_TEST_DATA) / "tokenizer" / name;
}

void expect_cases(const Tokenizer& tokenizer, const std::vector<Case>& cases) {
  ASSERT_FALSE(cases.empty());
  for (const Case& expected : cases) {
    EXPECT_THAT(tokenizer.encode(expected.text), testing::ElementsAreArray(expected.ids))
        << nlohmann::json(expected.text).dump(-1, ' ', true);
    EXPECT_EQ(tokenizer.count(expected.text), static_cast<std::int64_t>(expected.ids.size()));
    EXPECT_EQ(tokenizer.decode(expected.ids), expected.decoded);
  }
}

void expect_threads_agree(const Tokenizer& shared, const Tokenizer& alone,
                          const std::vector<std::string>& texts) {
  std::vector<std::vector<TokenId>> expected;
  for (const auto& text : texts) expected.push_back(alone.encode(text));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (shared.encode(texts[i]) != expected[i]) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

std::vector<std::string> random_texts(const std::vector<std::string>& parts, std::size_t count,
                                      unsigned seed) {
  std::mt19937 draw(seed);
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    for (auto left = draw() % 24; left > 0; --left) text += parts[draw() % parts.size()];
  }
  return texts;
}

}  // namespace niah::models
