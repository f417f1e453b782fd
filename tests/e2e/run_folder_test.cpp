// A run folder: what changes it can be continued with, and which samples are asked again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/export/results_json.h"
#include "reports/journal_reader.h"
#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class KeptRunFolder : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory_symlink(NIAH_SOURCE_DIR "/models/zoo", path("zoo"));
    write_file(
        path("sweep.yaml"),
        "name: small\nhaystack: {kind: prose}\ntasks: [s1]\nlengths: [1K]\nsamples: 2\n"
        "models: [{name: zoo, base: zoo/base, sft: zoo/cot-sft, variants: [base, sft]}]\n"
        "tokenizer: zoo/tokenizer\nruntime: {dtype: fp32, prefill_chunk: 128, threads: 1}\n");
  }
  fs::path path(const std::string& name) const { return temporary_.path() / name; }
  /// Runs `niah ARGUMENTS` in the config's folder.
  Outcome here(const std::string& arguments, const std::string& environment = "") const {
    return niah(arguments, "cd " + temporary_.path().string() + " && " + environment);
  }
  std::vector<reports::Record> records() const {
    std::vector<reports::Record> all;
    reports::read_records(path("run") / "journal.jsonl",
                          [&](const reports::Record& record) { all.push_back(record); });
    return all;
  }
  json plan() const { return json::parse(read_file(path("run") / "plan.json", "test")); }

  TemporaryFolder temporary_;
};

TEST_F(KeptRunFolder, GoesOnWithItsTokenizerSavedAgain) {
  fs::create_directory(path("tokenizer"));
  for (const auto& entry : fs::directory_iterator(NIAH_SOURCE_DIR "/models/zoo/tokenizer"))
    fs::copy(entry.path(), path("tokenizer"));
  const std::string run = "run sweep.yaml --out run --set tokenizer=tokenizer";
  ASSERT_EQ(here(run).code, 0);
  const fs::path file = path("tokenizer") / "tokenizer_config.json";
  json tokenizer = json::parse(read_file(file, "test"));
  fs::copy(path("run"), path("before"), fs::copy_options::recursive);

  write_file(file, tokenizer.dump(4));  // different bytes, same ids
  const Outcome more = here(run + " --set samples=3");
  EXPECT_EQ(more.code, 0) << more.output;
  EXPECT_EQ(records().size(), 6) << "the first four stay";
  EXPECT_EQ(here("replay run s1@1K#0").code, 0);
  const std::string compared = "regress --detectable 100 --current again --baseline before";
  ASSERT_EQ(here("run sweep.yaml --out again --set tokenizer=tokenizer").code, 0);
  EXPECT_THAT(here(compared).output, Not(HasSubstr("tokenizer differs")));

  tokenizer["add_bos_token"] = false;  // different ids
  write_file(file, tokenizer.dump());
  const Outcome other = here(run + " --set samples=4");
  EXPECT_EQ(other.code, 2) << other.output;
  EXPECT_THAT(other.output, HasSubstr("tokenizer was "));
  fs::remove_all(path("again"));
  ASSERT_EQ(here("run sweep.yaml --out again --set tokenizer=tokenizer").code, 0);
  EXPECT_EQ(here(compared).code, 3);
}

TEST_F(KeptRunFolder, DoesNotMixWhatIsComputedInAnotherWay) {
  ASSERT_EQ(here("run sweep.yaml --out run").code, 0);
  const auto before = records().size();
  const Outcome chunk =
      here("run sweep.yaml --out run --set samples=3 --set runtime.prefill_chunk=64");
  EXPECT_EQ(chunk.code, 2) << chunk.output;
  EXPECT_THAT(chunk.output, HasSubstr("prefill_chunk was 128, is now 64"));
  EXPECT_EQ(records().size(), before);

  // A machine with another processor may continue it; the command's output and the report say so.
  const Outcome other =
      here("run sweep.yaml --out run --set samples=3", "ATEN_CPU_CAPABILITY=default ");
  EXPECT_EQ(other.code, 0) << other.output;
  const std::string capability = plan()["arithmetic"]["cpu_capability"];
  if (capability == "DEFAULT") return;  // a processor without higher capabilities
  EXPECT_THAT(other.output, HasSubstr("the last bits of results may differ"));
  EXPECT_THAT(capability, HasSubstr(" and "));
  EXPECT_THAT(read_file(path("run") / "report.html", "test"),
              HasSubstr("computed with different cpu_capability"));
  // Continuing on the first processor leaves the plan unchanged.
  ASSERT_EQ(here("run sweep.yaml --out run").code, 0);
  EXPECT_EQ(plan()["arithmetic"]["cpu_capability"], capability);
}

TEST_F(KeptRunFolder, AsksAgainWhatHadNoMemory) {
  ASSERT_EQ(here("run sweep.yaml --out run").code, 0);
  const auto whole = records();
  std::string journal;
  for (reports::Record record : whole) {
    if (record.index == 1) {
      record.outcome = "oom";
      record.detail = "out of memory while reading the prompt";
    }
    journal += json(record).dump() + "\n";
  }
  write_file(path("run") / "journal.jsonl", journal);
  const Outcome again = here("run sweep.yaml --out run");
  EXPECT_EQ(again.code, 0) << again.output;
  EXPECT_EQ(records().size(), whole.size() + 2) << "one more of each variant";
  const json results = json::parse(read_file(path("run") / "results.json", "test"));
  for (const json& cell : results["cells"]) EXPECT_EQ(cell["n"], 2) << cell;
}

/// A run of 24 samples by a version that had no engines yet, see tests/data/runs/README.md.
TEST_F(KeptRunFolder, OfAnEarlierProgramGoesOnAndReports) {
  const fs::path stored = fs::path(NIAH_TEST_DATA) / "runs/stored";
  fs::create_directory(path("run"));
  for (const char* file : {"plan.json", "sweep.yaml"})
    write_file(path("run") / file,
               replace_all(read_file(stored / file, "test"), "@ZOO@", path("zoo").string()));
  fs::rename(path("run") / "sweep.yaml", path("stored.yaml"));
  const std::string journal = read_file(stored / "journal.jsonl", "test");
  const std::size_t half = journal.find('\n', journal.size() / 2) + 1;
  write_file(path("run") / "journal.jsonl", journal.substr(0, half));

  const Outcome rest = here("run stored.yaml --out run");
  ASSERT_EQ(rest.code, 0) << rest.output;
  EXPECT_TRUE(read_file(path("run") / "journal.jsonl", "test").starts_with(journal.substr(0, half)))
      << "what is there stays";
  const auto answers = [](const fs::path& file) {
    std::map<std::string, std::string> by_sample;
    reports::read_records(file, [&](const reports::Record& record) {
      by_sample[fmt::format("{} {} {}", record.variant, record.task, record.index)] =
          fmt::format("{} {} {}", record.score, record.prompt_sha256, record.text);
    });
    return by_sample;
  };
  EXPECT_EQ(answers(stored / "journal.jsonl").size(), 24U);
  EXPECT_EQ(answers(path("run") / "journal.jsonl"), answers(stored / "journal.jsonl"));

  ASSERT_EQ(here("report run").code, 0);
  const auto recall = [](const fs::path& file) {
    std::vector<std::pair<std::int64_t, std::int64_t>> cells;
    for (const reports::Cell& cell : reports::read_results(file).cells)
      cells.emplace_back(cell.hits, cell.n);
    return cells;
  };
  EXPECT_EQ(recall(path("run") / "results.json"), recall(stored / "results.json"));
}

}  // namespace
}  // namespace niah::e2e
