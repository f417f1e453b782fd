#include "tasks/random/cpython.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "harness/base/sha256.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using nlohmann::json;

void expect_same_calls(const json& row) {
  CPythonRandom random(row["seed"].get<std::uint64_t>());
  for (const auto& word : row["next32"]) EXPECT_EQ(random.next32(), word.get<std::uint32_t>());
  for (const auto& draw : row["bits"]) {
    EXPECT_EQ(random.bits(draw[0].get<int>()), draw[1].get<std::uint64_t>());
  }
  for (const auto& draw : row["below"]) {
    EXPECT_EQ(random.below(draw[0].get<std::uint64_t>()), draw[1].get<std::uint64_t>());
  }
  for (const auto& number : row["randint"]) {
    EXPECT_EQ(random.randint(1000000, 9999999), number.get<std::int64_t>());
  }
  for (const auto& draw : row["sample"]) {
    EXPECT_EQ(random.sample(draw[0].get<std::size_t>(), draw[1].get<std::size_t>()),
              draw[2].get<std::vector<std::size_t>>());
  }
  for (const auto& uuid : row["uuid4"]) EXPECT_EQ(random.uuid4(), uuid.get<std::string>());
  std::vector<int> items(10);
  std::iota(items.begin(), items.end(), 0);
  random.shuffle(items);
  EXPECT_EQ(items, row["shuffle"].get<std::vector<int>>());
  EXPECT_EQ(random.next32(), row["last"].get<std::uint32_t>());
}

/// The SHA-256 of the draws in decimal, one per line, with or without a newline after the last.
std::string sha256_of_draws(std::uint64_t seed, int draws, bool last_newline = true) {
  CPythonRandom random(seed);
  std::string lines;
  for (int i = 0; i < draws; ++i) lines += std::to_string(random.next32()) + "\n";
  if (!last_newline) lines.pop_back();
  return sha256_hex(lines);
}

TEST(CPythonRandom, EqualsCPython) {
  for (const auto& row : test::read_jsonl(test::data_file("cpython_random.jsonl"))) {
    SCOPED_TRACE(row["seed"].dump());
    if (row.contains("draws")) {
      EXPECT_EQ(sha256_of_draws(row["seed"], row["draws"]), row["sha256"].get<std::string>());
    } else {
      expect_same_calls(row);
    }
  }
}

/// The magnitude of a decimal number in 32-bit words, lowest first.
std::vector<std::uint32_t> parse_words(std::string_view decimal) {
  std::vector<std::uint32_t> words{0};
  for (const char digit : decimal.substr(decimal[0] == '-' ? 1 : 0)) {
    std::uint64_t carry = static_cast<std::uint64_t>(digit - '0');
    for (auto& word : words) {
      const std::uint64_t value = std::uint64_t{word} * 10 + carry;
      word = static_cast<std::uint32_t>(value);
      carry = value >> 32;
    }
    if (carry) words.push_back(static_cast<std::uint32_t>(carry));
  }
  return words;
}

TEST(CPythonRandom, EqualsTheFullRecording) {
  NIAH_NEEDS_GOLDENS();
  int seeds = 0;
  for (const auto& row : test::read_jsonl(*golden_folder() / "protocol" / "rng_cases.jsonl")) {
    if (!row.contains("seed")) continue;
    ++seeds;
    SCOPED_TRACE(row["seed"].get<std::string>());
    CPythonRandom random(parse_words(row["seed"].get<std::string>()));
    if (row.contains("draws")) {
      EXPECT_EQ(sha256_of_draws(std::stoull(row["seed"].get<std::string>()), row["draws"], false),
                row["sha256_of_decimal_lines"].get<std::string>());
      continue;
    }
    for (const auto& word : row["getrandbits32"]) {
      EXPECT_EQ(random.next32(), word.get<std::uint32_t>());
    }
    for (const auto& draw : row["getrandbits_k"]) {
      auto words = random.long_bits(draw[0].get<int>());
      while (words.size() > 1 && words.back() == 0) words.pop_back();  // drop leading zero words
      EXPECT_EQ(words, parse_words(draw[1].get<std::string>()));
    }
    for (const auto& draw : row["randbelow"]) {
      EXPECT_EQ(random.below(draw[0].get<std::uint64_t>()), draw[1].get<std::uint64_t>());
    }
    for (const auto& number : row["randint_7digits"]) {
      EXPECT_EQ(random.randint(1000000, 9999999), number.get<std::int64_t>());
    }
    for (const auto& index : row["choice_index"]) {
      EXPECT_EQ(random.below(6171620), index.get<std::uint64_t>());
    }
  }
  EXPECT_GT(seeds, 3);
}

}  // namespace
}  // namespace niah::tasks
