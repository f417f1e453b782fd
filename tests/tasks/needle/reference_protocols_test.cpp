// The protocols lm-eval and ruler on a corpus of made-up words, compared with recordings of the
// reference programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "tasks/protocol.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::shared_ptr<const Haystack> corpus() {
  return open_haystack({.kind = HaystackKind::kText, .path = test::data_file("corpus.txt")});
}

ProtocolSpec spec(const std::string& protocol, std::uint64_t seed, bool add = true) {
  return {protocol, seed, corpus(), test::count_words, add};
}

/// Expects the cell's first samples to be those of `rows`, in order.
void check(const Cell& cell, const std::vector<json>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const json& row = rows[i];
    const auto ordinal = static_cast<std::int64_t>(i);
    EXPECT_EQ(cell.index(ordinal), row["index"]) << row.dump();
    const Sample sample = cell.sample(ordinal);
    EXPECT_EQ(sample.index, row["index"]) << row.dump();
    EXPECT_EQ(sha256_hex(sample.input), row["input_sha256"].get<std::string>()) << row.dump();
    EXPECT_EQ(sample.outputs, row["outputs"].get<std::vector<std::string>>());
    EXPECT_EQ(sample.length, row["length"]);
    EXPECT_EQ(sample.gen_prefix, row["gen_prefix"].get<std::string>());
  }
}

TEST(LmEvalProtocol, MatchesRecordedCellsOfAllTasks) {
  std::map<std::pair<std::string, std::int64_t>, std::vector<json>> cells;
  for (const json& row : test::read_jsonl(test::data_file("lm_eval_words.jsonl")))
    if (row["run"] == "cells") cells[{row["task"], row["max_length"]}].push_back(row);
  ASSERT_EQ(cells.size(), 24U);
  for (const auto& [cell, rows] : cells) {
    for (const bool add : {true, false}) {
      const auto made = make_cells(spec("lm-eval", 3, add), {{cell.first, cell.second, 4}});
      check(*made.front(), rows);
    }
  }
}

TEST(LmEvalProtocol, OneStreamRunsThroughAllCellsOfARun) {
  std::vector<CellRequest> requests;
  std::vector<std::vector<json>> rows;
  for (const json& row : test::read_jsonl(test::data_file("lm_eval_words.jsonl"))) {
    if (row["run"] != "run") continue;
    if (row["index"] == 0) {
      requests.push_back({row["task"], row["max_length"], 4});
      rows.emplace_back();
    }
    rows.back().push_back(row);
  }
  ASSERT_EQ(requests.size(), 4U);
  const auto cells = make_cells(spec("lm-eval", 0), requests);
  for (std::size_t i = 0; i < cells.size(); ++i) check(*cells[i], rows[i]);
  // Another order gives other samples: a quirk of the harness that we reproduce.
  std::swap(requests[0], requests[1]);
  const auto swapped = make_cells(spec("lm-eval", 0), requests);
  EXPECT_NE(sha256_hex(swapped[1]->sample(0).input), rows[0][0]["input_sha256"].get<std::string>());
}

TEST(LmEvalProtocol, KnowsHowLongSamplesAreAlike) {
  for (const char* task : {"s1", "s2", "multikey_1", "multikey_2"}) {
    const auto made = make_cells(spec("lm-eval", 3), {{task, 2048, 2}});
    const Cell& cell = *made.front();
    EXPECT_NEAR(test::common_part(cell), std::min(cell.alike_until(0), cell.alike_until(1)), 0.1)
        << task;
  }
}

/// Checks one recorded cell at a short length: it has exactly the samples that the harness keeps.
void check_short_cell(const ProtocolSpec& spec, const std::vector<json>& rows) {
  const std::int64_t kept = rows.front()["kept"];
  CellRequest request{rows.front()["task"], rows.front()["max_length"],
                      static_cast<std::int64_t>(rows.size())};
  if (kept > 0) check(*make_cells(spec, {request}).front(), rows);
  if (kept == 500) return;
  request.samples = kept + 1;
  EXPECT_THROW(make_cells(spec, {request}), UsageError) << rows.front().dump();
}

TEST(LmEvalProtocol, MatchesRecordedCellsWhereOneStepOfTheHaystackDoesNotFit) {
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::vector<json>> cells;
  for (const json& row : test::read_jsonl(test::data_file("lm_eval_short.jsonl")))
    if (row["run"] != "triples run")
      cells[{row["run"], row["task"], row["max_length"]}].push_back(row);
  ASSERT_EQ(cells.size(), 50U);
  for (const auto& [cell, rows] : cells) {
    const bool words = std::get<0>(cell) == "words";
    check_short_cell(words ? spec("lm-eval", 3)
                           : ProtocolSpec{"lm-eval", 3, corpus(), test::count_triples, false},
                     rows);
  }
}

TEST(LmEvalProtocol, SamplesLeftOutMoveTheStream) {
  std::vector<CellRequest> requests;
  std::vector<std::vector<json>> rows;
  for (const json& row : test::read_jsonl(test::data_file("lm_eval_short.jsonl"))) {
    if (row["run"] != "triples run") continue;
    if (requests.empty() || requests.back().task != row["task"].get<std::string>()) {
      requests.push_back({row["task"], row["max_length"], 4});
      rows.emplace_back();
    }
    rows.back().push_back(row);
  }
  ASSERT_EQ(requests.size(), 3U);
  const auto cells = make_cells({"lm-eval", 0, corpus(), test::count_triples, false}, requests);
  for (std::size_t i = 0; i < cells.size(); ++i) check(*cells[i], rows[i]);
}

TEST(LmEvalProtocol, RefusesATokenizerWithFewerTokensThanWordsAsTheHarnessDoes) {
  const auto tenths = [](std::string_view text) { return test::count_words(text) / 10; };
  try {
    make_cells({"lm-eval", 0, corpus(), tenths, false}, {{"s2", 900, 1}});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("fewer tokens than words"));
  }
}

TEST(RulerProtocol, MatchesTheReferenceAtShortLengths) {
  std::map<std::pair<std::string, std::int64_t>, std::vector<json>> cells;
  for (const json& row : test::read_jsonl(test::data_file("ruler_words.jsonl")))
    cells[{row["task"], row["max_length"]}].push_back(row);
  ASSERT_EQ(cells.size(), 31U);
  for (const auto& [cell, rows] : cells)
    check(*make_cells(spec("ruler", 42), {{cell.first, cell.second, 4}}).front(), rows);
  EXPECT_THROW(make_cells(spec("ruler", 42), {{"multivalue", 700, 1}}), UsageError);
}

TEST(ReferenceProtocols, TooShortIsRefusedNotTriedForEver) {
  for (const std::string protocol : {"lm-eval", "ruler"})
    for (const std::string task : {"s1", "s2", "s3"}) {
      try {
        make_cells(spec(protocol, 1), {{task, 130, 3}});
        ADD_FAILURE() << protocol << " " << task;
      } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("130")) << protocol << " " << task;
      }
    }
}

TEST(RulerProtocol, EveryCellStartsItsOwnStream) {
  const auto alone = make_cells(spec("ruler", 42), {{"s2", 3000, 3}});
  const auto among = make_cells(spec("ruler", 42), {{"s1", 2000, 5}, {"s2", 3000, 3}});
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_EQ(alone[0]->sample(i).input, among[1]->sample(i).input);
}

TEST(RulerProtocol, RepeatsTheCorpusWhereLmEvalRunsOut) {
  const auto ruler = make_cells(spec("ruler", 42), {{"s2", 12000, 1}});
  const auto lm_eval = make_cells(spec("lm-eval", 0), {{"s2", 12000, 1}});
  EXPECT_GT(ruler[0]->sample(0).length, 11000);
  EXPECT_LT(lm_eval[0]->sample(0).length, 7000);
}

}  // namespace
}  // namespace niah::tasks
