// What every build can do with an existing run: report, merge, regress, show. The run folders are
// made without a model, but with the plan and the prompts of a real sweep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "harness/base/sha256.h"
#include "harness/plan/journal.h"
#include "harness/plan/plan.h"
#include "reports/export/results_json.h"
#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::int64_t kSamples = 6;

SweepConfig sweep() {
  const std::string zoo = NIAH_SOURCE_DIR "/models/zoo";
  return parse_sweep(
      "name: old\nhaystack: {kind: prose}\ntasks: [s1, s2]\nlengths: [1K]\n"
      "samples: 6\nmodels:\n  - name: zoo\n    base: " +
          zoo + "/base\n    sft: " + zoo +
          "/cot-sft\n    variants: [base, sft]\ntokenizer: " + zoo + "/tokenizer\n",
      "sweep.yaml", "/", {});
}

/// The part of the sweep that a folder holds, and the number of s2 samples that the fine-tune
/// finds.
struct Part {
  std::int64_t number = 1, of = 1, found = kSamples;
};

class OldRun : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  /// Writes a run folder as a run leaves it, except for the reports.
  void make(const std::string& name, const Part& part) const {
    const WorkList work(sweep());
    reports::RunInfo info = describe_sweep(work);
    for (reports::VariantInfo& variant : info.variants)
      variant.fingerprint = variant.name + "-weights";
    info.machine = "a machine";
    if (part.of > 1) info.shard = reports::Shard{part.number, part.of};
    fs::create_directories(path(name));
    write_plan(path(name), info);
    Journal journal(path(name) + "/journal.jsonl");
    for (const WorkItem& assignment : work.assignments())
      for (const Question& question : work.questions(assignment))
        if (question.record_template.index % part.of == part.number - 1)
          for (const reports::VariantInfo& variant : info.variants)
            journal.append(answered(question, variant, part.found));
  }

  TemporaryFolder folder_;

 private:
  static reports::Record answered(const Question& question, const reports::VariantInfo& variant,
                                  std::int64_t found) {
    reports::Record record = question.record_template;
    record.variant = variant.fingerprint;
    const bool hit = variant.name == "base" || record.task == "s1" || record.index < found;
    record.score = hit ? 1 : 0;
    record.miss = hit ? "hit" : "wrong_value";
    record.text = hit ? " " + record.expected.front() : " 0";
    return record;
  }
};

TEST_F(OldRun, IsDrawnAgain) {
  make("run", {.found = 2});
  const Outcome outcome = niah("report " + path("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  const reports::Results results = reports::read_results(path("run") + "/results.json");
  EXPECT_EQ(results.cells.size(), 4U);
  for (const reports::Cell& cell : results.cells) EXPECT_EQ(cell.n, kSamples);
  for (const char* file : {"report.html", "tables/summary.md", "heatmaps/s2-sft.svg"})
    EXPECT_TRUE(fs::exists(path("run") + "/" + file)) << file;
}

TEST_F(OldRun, ShardsAreMergedIntoTheWhole) {
  make("1", {.number = 1, .of = 2});
  make("2", {.number = 2, .of = 2});
  const Outcome half = niah("merge " + path("1") + " --out " + path("half"));
  EXPECT_EQ(half.code, 3);
  EXPECT_THAT(half.output, HasSubstr("samples that the plan asks for have no record"));
  const Outcome whole = niah("merge " + path("1") + " " + path("2") + " --out " + path("whole"));
  ASSERT_EQ(whole.code, 0) << whole.output;
  make("run", {});
  ASSERT_EQ(niah("report " + path("run")).code, 0);
  const auto cells = [](const std::string& folder) {
    return nlohmann::json::parse(read_file(folder + "/results.json", "test"))["cells"];
  };
  EXPECT_EQ(cells(path("whole")), cells(path("run")));
}

TEST_F(OldRun, PassesTheGateOrDoesNot) {
  make("good", {});
  make("bad", {.found = 0});
  for (const char* run : {"good", "bad"}) ASSERT_EQ(niah("report " + path(run)).code, 0);
  const std::string gate = "regress --detectable 100 --alpha 0.9 --baseline " + path("good") +
                           " --junit " + path("junit.xml") + " --current ";
  const Outcome same = niah(gate + path("good"));
  EXPECT_EQ(same.code, 0) << same.output;
  const Outcome lost = niah(gate + path("bad"));
  EXPECT_EQ(lost.code, 1) << lost.output;
  EXPECT_THAT(read_file(path("junit.xml"), "test"), HasSubstr("<failure"));
}

TEST_F(OldRun, ShowsOneSampleAndItsPrompt) {
  make("run", {.found = 2});
  const Outcome shown = niah("show " + path("run") + " s2@1K#4");
  EXPECT_EQ(shown.code, 0) << shown.output;
  for (const char* part : {"s2@1K#4", "needle", "expected", "Base", "Fine-tuned", "said"})
    EXPECT_THAT(shown.output, HasSubstr(part));
  EXPECT_THAT(shown.output, testing::Not(HasSubstr("the prompt was another then")));
  const Outcome prompt = niah("show " + path("run") + " s2@1K#4 --prompt");
  EXPECT_THAT(shown.output, HasSubstr(sha256_hex(prompt.output)));
  const Outcome other = niah("show " + path("run") + " s2@1K#99");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.output, HasSubstr("this cell has 6 samples"));
}

}  // namespace
}  // namespace niah::e2e
