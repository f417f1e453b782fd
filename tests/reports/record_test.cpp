#include "reports/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "tests/refusal.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Record full_record() {
  Record record = synthetic_record("f-base", "s2", 4096, 7);
  record.text = "The number is 7654321.";
  record.expected = {"7654321"};
  record.ids = {1, 2, 3};
  record.value_log_prob = -0.25;
  record.value_rank = 1;
  record.seconds = 1.5;
  record.same_again = false;
  record.again_failed = "503 busy";
  record.answered_by = "m";
  return record;
}

/// The message of the DataError that reading `json` throws.
std::string refusal(const json& json) {
  return refusal_of([&] { (void)json.get<Record>(); });
}

TEST(Record, RoundTripsThroughJson) {
  const json first = full_record();
  const json second = first.get<Record>();
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.at("ids"), json({1, 2, 3}));
}

TEST(Record, RefusesWhatIsMissingUnknownOrIllTyped) {
  const json good = full_record();
  json bad = good;
  bad.erase("depth");
  EXPECT_THAT(refusal(bad), HasSubstr("'depth' is missing"));
  bad = good;
  bad["scores"] = 1;
  EXPECT_THAT(refusal(bad), HasSubstr("unknown field 'scores', did you mean 'score'?"));
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, json>>{{"index", -1},
                                                 {"index", 1.5},
                                                 {"index", 18446744073709551615U},
                                                 {"depth", 100.5},
                                                 {"score", "1"},
                                                 {"kind", "other"},
                                                 {"prompt_sha256", "abc"},
                                                 {"expected", {1}},
                                                 {"ids", "1"},
                                                 {"value_rank", 0},
                                                 {"value_log_prob", 0.5},
                                                 {"same_again", "yes"},
                                                 {"again_failed", false},
                                                 {"answered_by", 7},
                                                 {"text", nullptr}}) {
    bad = good;
    bad[field] = value;
    EXPECT_THAT(refusal(bad), HasSubstr(field)) << field << " = " << value;
  }
  EXPECT_THAT(refusal(json::array()), HasSubstr("a JSON object was expected"));
}

TEST(Record, IsReadWithoutWhatEarlierVersionsDidNotKeep) {
  json old = full_record();
  EXPECT_EQ(old.at("same_again"), false);
  old.erase("same_again");
  old.erase("again_failed");
  EXPECT_EQ(old.get<Record>().same_again, std::nullopt);
  EXPECT_FALSE(json(old.get<Record>()).contains("same_again"));
}

TEST(Record, IsAskedAgainWhereALaterRunMayDoBetter) {
  for (const char* outcome : {"oom", "failed", "cut", "refused"})
    EXPECT_TRUE(is_asked_again(outcome)) << outcome;
  for (const char* outcome : {"scored", "not_finite", ""})
    EXPECT_FALSE(is_asked_again(outcome)) << outcome;
}

TEST(Record, RefusesAScoreThatContradictsTheMiss) {
  json bad = full_record();
  bad["score"] = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("contradict"));
}

TEST(Record, WritesHostileTextAndNonFiniteNumbersAsValidJson) {
  Record record = full_record();
  record.text = "\xff\xfe broken \x01";
  record.value_log_prob = -std::numeric_limits<double>::infinity();
  const json back = json::parse(json(record).dump());
  EXPECT_FALSE(back.contains("value_log_prob"));
  EXPECT_EQ(back.get<Record>().text, "\uFFFD\uFFFD broken \x01");
}

TEST(RunInfo, RoundTripsAndToleratesOtherReadersFields) {
  RunInfo info = synthetic_info();
  info.published = {{"HypeNet-9B", "S2@256K", 67.2, 9.4, std::nullopt, "paper"}};
  info.arithmetic = {{"device", "cpu"}, {"dtype", "fp32"}, {"prefill_chunk", "512"}};
  info.planned = {{"recall", "s2", 4096, 40, true},
                  {"recall", "s3", 4096, 2, false, {3, 8}},
                  {"reasoning", "gsm8k", 0, 100, false}};
  info.variants[1].server = "vllm 0.32.0 at http://localhost:8000/v1, model m, chat";
  info.variants[1].same_as = "base";
  info.variants[0].weights_sha256 = std::string(64, 'a');
  info.shard = {2, 3, {{2, "recall", "s2", 4096, {0, 11}}, {3, "reasoning", "gsm8k", 0, {5}}}};
  info.merged_from = {"runs/a"};
  info.other_configs = {"{}"};
  json first = info;
  first["resolved"] = "kept for the runner";
  const json second = first.get<RunInfo>();
  first.erase("resolved");
  EXPECT_EQ(first, second);
}

TEST(RunInfo, ReadsDescriptionsOfEarlierVersionsThatDoNotSayHowTheyComputed) {
  json old = synthetic_info();
  for (const char* field : {"arithmetic", "planned", "shard", "merged_from"}) old.erase(field);
  EXPECT_TRUE(old.get<RunInfo>().arithmetic.empty());
  EXPECT_TRUE(old.get<RunInfo>().planned.empty());
  EXPECT_FALSE(old.get<RunInfo>().shard);
  EXPECT_FALSE(old["variants"][0].contains("server")) << "what was run here has no such fields";
  EXPECT_TRUE(old.get<RunInfo>().variants[0].server.empty());
  EXPECT_FALSE(old["variants"][0].contains("weights_sha256"));
  EXPECT_TRUE(old.get<RunInfo>().variants[0].weights_sha256.empty());
  old["arithmetic"] = {{"dtype", 16}};
  EXPECT_THROW((void)old.get<RunInfo>(), DataError);
  old.erase("arithmetic");
  old["shard"] = {{"number", 2}, {"of", 3}};
  EXPECT_TRUE(old.get<RunInfo>().shard->parts.empty());
  const json part = {
      {"shard", 4}, {"kind", "recall"}, {"task", "s2"}, {"length", 4096}, {"indexes", {0}}};
  for (const json& bad : {json{{"number", 4}, {"of", 3}}, json{{"number", 1}, {"of", 1'000'000}},
                          json{{"number", 1}, {"of", 3}, {"parts", {part}}}}) {
    old["shard"] = bad;
    EXPECT_THROW((void)old.get<RunInfo>(), DataError) << bad;
  }
}

TEST(RunInfo, NamesWhatWasComputedOtherwise) {
  RunInfo first = synthetic_info();
  first.arithmetic = {{"device", "cpu"}, {"dtype", "fp32"}, {"processor", "A"}, {"only", "here"}};
  RunInfo second = first;
  EXPECT_TRUE(arithmetic_differences(first, second).empty());
  second.arithmetic = {{"device", "cpu"}, {"dtype", "bf16"}, {"processor", "B"}};
  const auto differences = arithmetic_differences(first, second);
  ASSERT_EQ(differences.size(), 2U) << "a name that one of them does not know is not compared";
  EXPECT_EQ(differences[0].words(), "dtype (fp32 against bf16)");
  EXPECT_TRUE(differences[0].separates());
  EXPECT_EQ(differences[1].words(), "processor (A against B)");
  EXPECT_FALSE(differences[1].separates()) << "the same numbers, up to the last bits";

  second.arithmetic.clear();
  EXPECT_TRUE(arithmetic_differences(first, second).empty());
  second.machine = "64 cores, bf16";
  ASSERT_EQ(arithmetic_differences(first, second).size(), 1U);
  EXPECT_EQ(arithmetic_differences(first, second)[0].name, "machine");
}

TEST(RunInfo, RefusesTwoVariantsWithOneFingerprint) {
  RunInfo info = synthetic_info();
  info.variants[1].fingerprint = info.variants[0].fingerprint;
  EXPECT_THROW((void)json(info).get<RunInfo>(), DataError);
}

}  // namespace
}  // namespace niah::reports
