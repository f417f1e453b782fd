#include "tasks/sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Sample some_sample() {
  Sample sample;
  sample.protocol = "niah";
  sample.task = "s2";
  sample.seed = 18446744073709551615U;
  sample.max_length = 4096;
  sample.index = 3;
  sample.input = "Caf\xC3\xA9 \"quoted\"\nline";
  sample.gen_prefix = "The number is";
  sample.outputs = {"1234567"};
  sample.key = "odd-key";
  sample.needle = {5, 9};
  sample.depth = 23;
  sample.real_depth = 22.5;
  sample.length = 4000;
  sample.haystack_units = 77;
  sample.prompt_sha256 = std::string(64, '0');
  return sample;
}

TEST(Sample, SurvivesJson) {
  const Sample sample = some_sample();
  const Sample back = json::parse(json(sample).dump()).get<Sample>();
  EXPECT_EQ(json(back), json(sample));
  EXPECT_EQ(back.seed, sample.seed);
  EXPECT_EQ(back.input, sample.input);
  EXPECT_EQ(back.needle, sample.needle);
}

TEST(Sample, UsesTheFieldNamesOfLmEval) {
  const json row = some_sample();
  for (const char* field : {"index", "input", "outputs", "length", "max_length", "gen_prefix"})
    EXPECT_TRUE(row.contains(field)) << field;
}

TEST(Sample, SaysWhichFieldIsWrong) {
  json row = some_sample();
  row["outputs"] = 7;
  try {
    row.get<Sample>();
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("outputs"));
  }
  row = some_sample();
  row.erase("input");
  try {
    row.get<Sample>();
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("input"));
  }
}

}  // namespace
}  // namespace niah::tasks
