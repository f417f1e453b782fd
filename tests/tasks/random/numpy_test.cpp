#include "tasks/random/numpy.h"

#include <gtest/gtest.h>

#include "tasks/random/cpython.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

TEST(NumpyRandom, EqualsNumpysLegacyGenerator) {
  for (const auto& row : test::read_jsonl(test::data_file("numpy_random.jsonl"))) {
    NumpyRandom random(row["seed"].get<std::uint32_t>());
    for (const auto& draw : row["randint"])
      EXPECT_EQ(random.randint(draw[0], draw[1]), draw[2].get<std::int64_t>()) << row.dump();
  }
}

TEST(CPythonRandom, DrawsTheLettersOfChoices) {
  for (const auto& row : test::read_jsonl(test::data_file("cpython_choices.jsonl"))) {
    CPythonRandom random(row["seed"].get<std::uint64_t>());
    for (const auto& word : row["upper"])
      EXPECT_EQ(random.letters('A', 26, 5), word.get<std::string>());
    for (const auto& word : row["lower"])
      EXPECT_EQ(random.letters('a', 26, 6), word.get<std::string>());
    EXPECT_EQ(random.next32(), row["last"].get<std::uint32_t>());
  }
}

}  // namespace
}  // namespace niah::tasks
