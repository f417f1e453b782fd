// The reference protocols, compared sample by sample with all recordings of the reference programs
// with Qwen3's tokenizer. Needs the full recordings: NIAH_GOLDEN_DIR.
#include <gtest/gtest.h>

#include <map>

#include "harness/base/sha256.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/protocol.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using nlohmann::json;

class GoldenProtocol : public testing::Test {
 protected:
  void SetUp() override {
    NIAH_NEEDS_GOLDENS();
    folder_ = *golden_folder();
    tokenizer_ = models::open_tokenizer(folder_ / "tokenizer");
    haystack_ = open_haystack({.kind = HaystackKind::kEssays, .path = folder_ / "protocol/essays"});
  }

  ProtocolSpec spec(const std::string& protocol, std::uint64_t seed) const {
    return {protocol, seed, haystack_,
            [tokenizer = tokenizer_](std::string_view text) { return tokenizer->count(text); },
            true};
  }
  std::vector<json> rows(const char* file) const {
    return test::read_jsonl(folder_ / "protocol" / file);
  }

  /// Compares every recorded sample of one cell.
  static void check_samples(const Cell& cell, const std::vector<json>& samples) {
    ASSERT_FALSE(samples.empty()) << "nothing was recorded of this cell";
    for (const json& row : samples) {
      const Sample sample = cell.sample(row["index"].get<std::int64_t>());
      const std::string where = row["task"].get<std::string>() + "@" +
                                std::to_string(row["max_seq_length"].get<std::int64_t>()) + "#" +
                                row["index"].dump();
      ASSERT_EQ(sha256_hex(sample.input), row["input_sha256"].get<std::string>()) << where;
      ASSERT_EQ(sample.key, row["query"].get<std::string>()) << where;
      ASSERT_EQ(sample.outputs, std::vector<std::string>{row["answer"].get<std::string>()})
          << where;
      ASSERT_EQ(sample.length, row["length"]) << where;
      if (row.contains("needle_char_offset")) {
        ASSERT_EQ(sample.needle.begin, row["needle_char_offset"]) << where;
      }
      if (row.contains("gen_prefix")) {
        ASSERT_EQ(sample.gen_prefix, row["gen_prefix"].get<std::string>()) << where;
      }
      if (row.contains("answer_prefix")) {
        ASSERT_EQ(" " + sample.gen_prefix, row["answer_prefix"].get<std::string>()) << where;
      }
    }
  }

  /// Compares the hash over all samples that the reference program generated.
  static void check_all(const Cell& cell, const json& row, std::int64_t samples) {
    std::string hashes;
    for (std::int64_t i = 0; i < samples; ++i)
      hashes += (i == 0 ? "" : "\n") + sha256_hex(cell.sample(i).input);
    EXPECT_EQ(sha256_hex(hashes), row["samples_sha256"].get<std::string>()) << row.dump();
  }

  void check_seeded_cells(const char* file, const std::string& protocol) const {
    std::map<std::pair<std::string, std::int64_t>, std::vector<json>> samples;
    std::vector<json> cells;
    for (const json& row : rows(file)) {
      if (row.contains("meta")) continue;
      if (row.contains("cell"))
        cells.push_back(row);
      else
        samples[{row["task"], row["max_seq_length"]}].push_back(row);
    }
    ASSERT_EQ(cells.size(), 21U);
    for (const json& row : cells) {
      const std::string task = row["task"];
      const std::int64_t length = row["max_seq_length"], made = row["num_samples_generated"];
      const auto cell =
          make_cells(spec(protocol, row["seed"].get<std::uint64_t>()), {{task, length, made}});
      const auto& recorded = samples.at({task, length});
      ASSERT_EQ(recorded.size(), 25U);
      check_samples(*cell.front(), recorded);
      if (HasFatalFailure()) return;
      check_all(*cell.front(), row, made);
    }
  }

  std::filesystem::path folder_;
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  std::shared_ptr<const Haystack> haystack_;
};

TEST_F(GoldenProtocol, LmEval) { check_seeded_cells("lm_eval.jsonl", "lm-eval"); }

TEST_F(GoldenProtocol, Ruler) { check_seeded_cells("ruler.jsonl", "ruler"); }

TEST_F(GoldenProtocol, LmEvalRunsOfItsOwnCommandLine) {
  // One random stream runs through all cells of a run, in the order in which they are built.
  std::map<std::string, std::vector<json>> built;
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::vector<json>> samples;
  for (const json& row : rows("lm_eval_default_run.jsonl")) {
    if (row.contains("cell"))
      built[row["label"]].push_back(row);
    else if (row.contains("index"))
      samples[{row["label"], row["task"], row["max_seq_length"]}].push_back(row);
  }
  ASSERT_GE(built.size(), 3U);
  for (const auto& [label, cells] : built) {
    std::vector<CellRequest> requests;
    for (const json& row : cells)
      requests.push_back({row["task"], row["max_seq_length"], row["num_samples"]});
    const auto made = make_cells(spec("lm-eval", 0), requests);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      check_samples(*made[i], samples[{label, requests[i].task, requests[i].length}]);
      if (HasFatalFailure()) return;
      check_all(*made[i], cells[i], requests[i].samples);
    }
  }
}

}  // namespace
}  // namespace niah::tasks
