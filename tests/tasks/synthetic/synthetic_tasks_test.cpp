// Variable tracking, common and frequent words: equal to recordings of both reference programs, and
// what our own protocol promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "tasks/protocol.h"
#include "tasks/scoring.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kTasks[] = {"vt", "cwe", "fwe"};

ProtocolSpec spec(const std::string& protocol, std::uint64_t seed,
                  const std::string& count = "words") {
  if (count == "triples") return {protocol, seed, nullptr, test::count_triples, false};
  return {protocol, seed, nullptr, test::count_words, true};
}

void check_sample(const Sample& sample, const json& row) {
  ASSERT_EQ(sha256_hex(sample.input), row["input_sha256"].get<std::string>())
      << row.dump() << sample.input;
  EXPECT_EQ(sample.outputs, row["outputs"].get<std::vector<std::string>>());
  EXPECT_EQ(sample.length, row["length"]);
  EXPECT_EQ(sample.gen_prefix, row["gen_prefix"].get<std::string>());
  EXPECT_EQ(sample.index, row["index"]);
  if (row.contains("input")) {
    EXPECT_EQ(sample.input, row["input"].get<std::string>());
  }
}

/// Rows of one recorded cell: seed, task, length, how tokens are counted.
using RecordedCells =
    std::map<std::tuple<std::uint64_t, std::string, std::int64_t, std::string>, std::vector<json>>;

RecordedCells recorded(const char* file, const char* run) {
  RecordedCells cells;
  for (const json& row : test::read_jsonl(test::data_file(file)))
    if (!row.contains("run") || row["run"] == run)
      cells[{row["seed"], row["task"], row["max_length"], row["count"]}].push_back(row);
  return cells;
}

void check_cells(const std::string& protocol, const RecordedCells& cells) {
  ASSERT_EQ(cells.size(), 12U);
  for (const auto& [cell, rows] : cells) {
    const auto& [seed, task, length, count] = cell;
    const auto samples = static_cast<std::int64_t>(rows.size());
    const auto made = make_cells(spec(protocol, seed, count), {{task, length, samples}});
    for (std::int64_t i = 0; i < samples; ++i)
      check_sample(made.front()->sample(i), rows[static_cast<std::size_t>(i)]);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(SyntheticTasks, EqualRulersScripts) {
  check_cells("ruler", recorded("ruler_synthetic.jsonl", ""));
}

TEST(SyntheticTasks, EqualLmEval) {
  check_cells("lm-eval", recorded("lm_eval_synthetic.jsonl", "cells"));
}

TEST(SyntheticTasks, LmEvalsStreamsRunThroughAllCells) {
  std::vector<CellRequest> requests;
  std::vector<std::vector<json>> rows;
  for (const json& row : test::read_jsonl(test::data_file("lm_eval_synthetic.jsonl"))) {
    if (row["run"] != "run") continue;
    if (row["index"] == 0) {
      requests.push_back({row["task"], row["max_length"], 4});
      rows.emplace_back();
    }
    rows.back().push_back(row);
  }
  ASSERT_EQ(requests.size(), 5U);
  const auto cells = make_cells(spec("lm-eval", 0), requests);
  for (std::size_t i = 0; i < cells.size(); ++i)
    for (std::int64_t k = 0; k < 4; ++k)
      check_sample(cells[i]->sample(k), rows[i][static_cast<std::size_t>(k)]);
}

TEST(SyntheticTasks, LmEvalGivesTheStartOfTheAnswerToCommonWordsAfterAnEmptyLine) {
  const auto cells = make_cells(spec("lm-eval", 0), {{"vt", 1024, 1}, {"cwe", 1024, 1}});
  const Sample vt = cells[0]->sample(0), cwe = cells[1]->sample(0);
  EXPECT_THAT(vt.prompt(), HasSubstr(" in the text above. Answer: According"));
  EXPECT_THAT(cwe.prompt(), HasSubstr(" in the above list?\n\nAnswer: The top 10"));
  EXPECT_EQ(vt.answer_tokens, 30);
  EXPECT_EQ(cwe.answer_tokens, 120);
  Sample read;
  from_json(json(cwe), read);
  EXPECT_EQ(read.prompt(), cwe.prompt());
  EXPECT_EQ(read.answer_tokens, 120);
}

TEST(SyntheticTasks, RulerAloneSpellsAsItDoesToday) {
  const auto prefix = [](const char* protocol) {
    return make_cells(spec(protocol, 1), {{"vt", 2000, 1}})[0]->sample(0).gen_prefix;
  };
  EXPECT_THAT(prefix("ruler"), HasSubstr(" are assigned the value "));
  for (const char* protocol : {"lm-eval", "niah"})
    EXPECT_THAT(prefix(protocol), HasSubstr(" are assgined the value ")) << protocol;
}

class NiahSynthetic : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Niah, NiahSynthetic, testing::ValuesIn(kTasks),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(NiahSynthetic, FillsItsLengthAndIsAFunctionOfSeedAndIndexAlone) {
  for (const std::string count : {"words", "triples"})
    for (const std::int64_t length : {2000, 4096, 9000}) {
      const auto spec_of_run = spec("niah", 5, count);
      const auto few = make_cells(spec_of_run, {{GetParam(), length, 3}});
      const auto many = make_cells(spec_of_run, {{"vt", 3000, 2}, {GetParam(), length, 8}});
      for (std::int64_t i = 0; i < 3; ++i) {
        const Sample sample = few[0]->sample(i);
        EXPECT_EQ(sample.prompt_sha256, many[1]->sample(i).prompt_sha256);
        EXPECT_EQ(sample.length, spec_of_run.count(sample.prompt()) + sample.answer_tokens);
        EXPECT_LE(sample.length, length);
        EXPECT_GT(sample.length, length * 95 / 100 - 60) << count << " " << length;
      }
      EXPECT_NE(few[0]->sample(0).input, few[0]->sample(1).input);
      const auto other = make_cells(spec("niah", 6, count), {{GetParam(), length, 1}});
      EXPECT_NE(other[0]->sample(0).outputs, few[0]->sample(0).outputs);
    }
}

/// How often `word` is in the text, between spaces or line breaks.
std::int64_t occurrences(std::string text, const std::string& word) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::int64_t found = 0;
  for (std::size_t at = 0; (at = text.find(" " + word + " ", at)) != text.npos; ++at) ++found;
  return found;
}

TEST(SyntheticTasks, TheAnswerIsInTheText) {
  const auto cells =
      make_cells(spec("niah", 5), {{"vt", 3000, 2}, {"cwe", 3000, 2}, {"fwe", 3000, 2}});
  const Sample vt = cells[0]->sample(1);
  ASSERT_EQ(vt.outputs.size(), 5U);
  const std::string needle =
      vt.input.substr(static_cast<std::size_t>(vt.needle.begin),
                      static_cast<std::size_t>(vt.needle.end - vt.needle.begin));
  EXPECT_EQ(needle, "VAR " + vt.outputs[0] + " = " + vt.key);
  for (std::size_t i = 1; i < 5; ++i)
    EXPECT_THAT(vt.input, HasSubstr("VAR " + vt.outputs[i] + " = VAR " + vt.outputs[i - 1] + " "));
  EXPECT_NEAR(vt.depth, vt.real_depth, 3);
  const Sample cwe = cells[1]->sample(0);
  ASSERT_EQ(cwe.outputs.size(), 10U);
  for (const std::string& word : cwe.outputs) EXPECT_GE(occurrences(cwe.input, word), 6) << word;
  const Sample fwe = cells[2]->sample(0);
  ASSERT_EQ(fwe.outputs.size(), 3U);
  EXPECT_GT(occurrences(fwe.input, fwe.outputs[0]), occurrences(fwe.input, fwe.outputs[2]));
  EXPECT_EQ(cwe.needle, Span{}) << "its answer is everywhere";
}

TEST(SyntheticTasks, WhatNeverFitsIsRefusedNotTriedForEver) {
  for (const std::string protocol : {"niah", "lm-eval", "ruler"})
    for (const std::string task : kTasks)
      for (const std::int64_t length : {1, 90, 160}) {
        try {
          make_cells(spec(protocol, 1), {{task, length, 2}});
          ADD_FAILURE() << protocol << " " << task << " " << length;
        } catch (const UsageError& error) {
          EXPECT_THAT(error.what(),
                      AllOf(HasSubstr("task " + task), HasSubstr(std::to_string(length))))
              << protocol;
        }
      }
}

TEST(SyntheticTasks, RulerNamesTheListThatItsLongestCommonWordsNeed) {
  try {
    make_cells(spec("ruler", 42), {{"cwe", 262144, 1}});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("english_words.json"), HasSubstr("protocol niah")));
  }
}

TEST(SyntheticTasks, RulerRefusesASeedThatNumpyDoesNotTake) {
  EXPECT_THROW(make_cells(spec("ruler", std::uint64_t{1} << 32), {{"vt", 1024, 1}}), UsageError);
}

TEST(Scoring, OfSeveralWordsIsTheFractionThatWasFound) {
  const std::vector<std::string> expected = {"AXBYC", "DWEVF", "GUHTI", "JSKRL", "MQNPO"};
  const auto missed = [&](std::string_view output) {
    return classify({output, &expected, false, ""});
  };
  EXPECT_EQ(string_match_all("axbyc dwevf GUHTI", expected), 0.6);
  EXPECT_EQ(missed("AXBYC, DWEVF, GUHTI, JSKRL, MQNPO"), MissClass::kHit);
  EXPECT_EQ(missed("AXBYC DWEVF"), MissClass::kPartialValue);
  EXPECT_EQ(missed("ZZZZZ"), MissClass::kWrongValue);
  EXPECT_EQ(missed("The variables are not mentioned."), MissClass::kRefused);
  EXPECT_EQ(missed("!!"), MissClass::kGarbage);
}

}  // namespace
}  // namespace niah::tasks
