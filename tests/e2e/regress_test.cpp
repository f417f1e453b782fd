// The nightly gate as a job runs it: every exit code, on runs of the zoo.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "harness/base/files.h"
#include "tests/e2e/program.h"
#include "tests/models/support.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string kZoo = NIAH_SOURCE_DIR "/models/zoo";

/// One small run for all tests: the base model, and what a bad fine-tune made of it.
class Regress : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    for (const char* checkpoint : {"base", "cot-sft"}) {
      write_file(path("sweep.yaml"),
                 "name: nightly\nhaystack: {kind: prose}\ntasks: [s3]\n"
                 "lengths: [2K]\nsamples: 30\nmodels:\n  - name: zoo\n    base: " +
                     kZoo + "/" + checkpoint + "\n    variants: [base]\ntokenizer: " + kZoo +
                     "/tokenizer\nruntime: {dtype: fp32, threads: 1}\n");
      const Outcome run = niah("run " + path("sweep.yaml").string() + " --quiet --out " +
                               path(checkpoint).string());
      ASSERT_EQ(run.code, 0) << run.output;
    }
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static fs::path path(const std::string& name) { return folder_->path() / name; }
  static Outcome regress(const std::string& baseline, const std::string& current,
                         const std::string& options = "") {
    return niah("regress --baseline " + path(baseline).string() + " --current " +
                path(current).string() + " " + options);
  }
  /// The base's results, changed, under a name of their own.
  static void write_results(const std::string& name, const std::function<void(json&)>& change) {
    json results = json::parse(read_file(path("base") / "results.json", "test"));
    change(results);
    write_file(path(name), results.dump());
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(Regress, TheSameCheckpointPassesWhereTheSamplesSuffice) {
  const Outcome outcome = regress("base", "base", "--detectable 60");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("S3 at 2K"));
}

TEST_F(Regress, FewSamplesAreInconclusive) {
  const Outcome outcome = regress("base", "base", "--detectable 2");
  EXPECT_EQ(outcome.code, 4) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("inconclusive"));
}

TEST_F(Regress, ALossIsRedInEveryForm) {
  const Outcome outcome = regress(
      "base", "cot-sft",
      "--junit " + path("j.xml").string() + " --summary " + path("s.md").string() + " --history " +
          path("h.jsonl").string() + " --trend " + path("t.html").string() + " --update-baseline");
  EXPECT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("regression"), HasSubstr("stays as it is")));
  EXPECT_THAT(read_file(path("j.xml"), "test"), HasSubstr("<failure"));
  EXPECT_THAT(read_file(path("s.md"), "test"), HasSubstr("| regression |"));
  EXPECT_THAT(read_file(path("t.html"), "test"), HasSubstr("1 recall lost"));
}

TEST_F(Regress, APassingNightMayBecomeTheBaseline) {
  fs::copy(path("base") / "results.json", path("old.json"));
  write_results("new.json", [](json& results) { results["run"]["title"] = "tonight"; });
  const Outcome outcome = regress("old.json", "new.json", "--detectable 60 --update-baseline");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_EQ(read_file(path("old.json"), "test"), read_file(path("new.json"), "test"));
}

TEST_F(Regress, WhatWasNotMeasuredIsNeverGreen) {
  EXPECT_EQ(regress("base", "nowhere").code, 3);
  write_file(path("torn.json"), read_file(path("base") / "results.json", "test").substr(0, 900));
  EXPECT_EQ(regress("base", "torn.json").code, 3);
  fs::create_directories(path("unfinished"));
  fs::copy(path("base") / "journal.jsonl", path("unfinished"));
  const Outcome unfinished = regress("base", "unfinished");
  EXPECT_EQ(unfinished.code, 3);
  EXPECT_THAT(unfinished.output, HasSubstr("did not end"));
  // A copy has other times; that says nothing.
  fs::copy(path("base") / "results.json", path("unfinished"));
  fs::last_write_time(
      path("unfinished") / "results.json",
      fs::last_write_time(path("unfinished") / "journal.jsonl") - std::chrono::hours(1));
  EXPECT_EQ(regress("base", "unfinished", "--detectable 60").code, 0);
  // An old results.json beside a journal that has grown since.
  const std::string journal = read_file(path("base") / "journal.jsonl", "test");
  write_file(path("unfinished") / "journal.jsonl",
             journal + journal.substr(0, journal.find('\n') + 1));
  const Outcome grown = regress("base", "unfinished");
  EXPECT_EQ(grown.code, 3);
  EXPECT_THAT(grown.output, HasSubstr("did not end"));
  write_results("empty.json", [](json& results) { results["cells"] = json::array(); });
  EXPECT_EQ(regress("base", "empty.json").code, 3);
  EXPECT_EQ(regress("empty.json", "base").code, 3);
}

TEST_F(Regress, OtherQuestionsAreRefusedByName) {
  for (const char* field : {"protocol", "tokenizer", "haystack"}) {
    write_results("other.json", [&](json& results) {
      results["run"][field] = "another";
      if (field == std::string("tokenizer")) results["run"]["tokenizer_tables_sha256"] = "another";
    });
    const Outcome outcome = regress("base", "other.json");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.output, HasSubstr(std::string("the ") + field + " differs"));
  }
}

TEST_F(Regress, WrongCommandLinesAreExitTwo) {
  EXPECT_EQ(regress("base", "base", "--max-drop -3").code, 2);
  EXPECT_EQ(regress("base", "base", "--alpha 2").code, 2);
  EXPECT_EQ(regress("base", "base", "--trend x.html").code, 2);
  EXPECT_EQ(niah("regress --current x").code, 2);
}

TEST_F(Regress, ARunThatGoesOnHasNoOldResults) {
  const fs::path folder = path("goes-on");
  fs::copy(path("base"), folder, fs::copy_options::recursive);
  const auto size = fs::file_size(folder / "journal.jsonl");
  Background more({"run", path("sweep.yaml").string(), "--set", "models.0.base=" + kZoo + "/base",
                   "--set", "samples=200", "--out", folder.string()});
  ASSERT_TRUE(more.wait_until([&] { return fs::file_size(folder / "journal.jsonl") > size; }));
  EXPECT_TRUE(WIFSIGNALED(more.end_with(SIGKILL)));
  EXPECT_FALSE(fs::exists(folder / "results.json")) << "of fewer samples than there are";
  EXPECT_EQ(regress("base", "goes-on").code, 3);
}

TEST_F(Regress, AWrongCommandLeavesTheResults) {
  const fs::path folder = path("again");
  fs::copy(path("base"), folder, fs::copy_options::recursive);
  const Outcome stopped =
      niah("run " + path("sweep.yaml").string() + " --set models=[] --out " + folder.string());
  EXPECT_EQ(stopped.code, 2) << "a wrong command changes nothing";
  EXPECT_TRUE(fs::exists(folder / "results.json"));
}

}  // namespace
}  // namespace niah::e2e
