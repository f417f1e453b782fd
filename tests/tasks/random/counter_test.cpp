#include "tasks/random/counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

TEST(CounterRng, EqualsItsDocumentedDefinition) {
  for (const auto& row : test::read_jsonl(test::data_file("counter_rng.jsonl"))) {
    CounterRng random(row["name"].get<std::string>());
    for (const auto& word : row["next64"]) EXPECT_EQ(random.next64(), word.get<std::uint64_t>());
    for (const auto& draw : row["below"]) {
      EXPECT_EQ(random.below(draw[0].get<std::uint64_t>()), draw[1].get<std::uint64_t>());
    }
    EXPECT_EQ(random.uuid4(), row["uuid4"].get<std::string>());
  }
}

TEST(CounterRng, NamesOfSamplesAreTheDocumentedOnes) {
  EXPECT_EQ(CounterRng::for_sample(7, "s2", 4096, 12).next64(),
            CounterRng("niah-1/7/s2/4096/12").next64());
  EXPECT_EQ(CounterRng::for_cell(7, "s2", 4096).next64(),
            CounterRng("niah-1/7/s2/4096/cell").next64());
}

TEST(CounterRng, BelowIsUniform) {
  CounterRng random("uniform");
  constexpr int kBins = 40, kDraws = 40'000;
  std::vector<int> counts(kBins);
  for (int i = 0; i < kDraws; ++i) ++counts[random.below(kBins)];
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi2, 72.1);  // the 0.001 critical value at 39 degrees of freedom
}

TEST(CounterRng, DistinctNumbersAreDistinctAndInRange) {
  CounterRng random("distinct");
  const auto numbers = random.distinct(39, 39);
  EXPECT_EQ(std::set<std::int64_t>(numbers.begin(), numbers.end()).size(), 39u);
  EXPECT_THAT(numbers, testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(39))));
}

}  // namespace
}  // namespace niah::tasks
