#include "harness/plan/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/plan/run_mark.h"
#include "reports/export/results_json.h"
#include "tests/harness/plan/plain_record.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Shards 1 to 3 of a sweep of 6 samples, as `niah run` leaves them.
class Merge : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::int64_t number : {1, 2, 3}) write_shard(std::to_string(number), number);
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }

  static reports::RunInfo info_of(std::int64_t shard) {
    reports::RunInfo info;
    info.name = "sweep";
    info.protocol = "niah";
    info.tasks = {"s1"};
    info.lengths = {4096};
    info.variants = {{"v", "model", "base", ""}};
    info.planned = {{"recall", "s1", 4096, 6, false}};
    info.shard = reports::Shard{shard, 3};
    info.arithmetic = {{"dtype", "fp32"}, {"processor", "A"}};
    return info;
  }
  void write_shard(const std::string& name, std::int64_t number) {
    write_run(name, info_of(number), {plain_record(number - 1), plain_record(number + 2)});
  }
  void write_run(const std::string& name, const reports::RunInfo& info,
                 const std::vector<reports::Record>& records) {
    fs::create_directories(path(name));
    write_file(path(name) / "plan.json", nlohmann::json(info).dump());
    std::string lines;
    for (const reports::Record& one : records) lines += nlohmann::json(one).dump() + "\n";
    write_file(path(name) / "journal.jsonl", lines);
  }
  reports::Report merge(const std::string& runs) {
    std::vector<fs::path> folders;
    for (const char run : runs) folders.push_back(path(std::string(1, run)));
    return merge_runs(folders, path("out"));
  }
  std::string refusal(const std::string& runs) {
    return refusal_of<UsageError>([&] { merge(runs); });
  }
  std::int64_t merged_samples() const { return reports::read_results(path("out")).cells.at(0).n; }

  TemporaryFolder folder_;
};

TEST_F(Merge, SaysWhatIsMissingOfThePlan) {
  const reports::Report two = merge("12");
  const auto missing = reports::missing_samples(two.results);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(missing[0].found, 4);
  EXPECT_THAT(read_file(path("out") / "report.html", "test"), HasSubstr("(4 of 6)"));
  fs::remove_all(path("out"));
  EXPECT_TRUE(reports::missing_samples(merge("123").results).empty());
}

TEST_F(Merge, SaysWhichShardsHaveToBeRunAgain) {
  write_run("2", info_of(2), {plain_record(1)});
  testing::internal::CaptureStderr();
  merge("12");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: shard 2/3: 1 of 2 samples is missing; run the same sweep with --shard 2/3 "
            "and merge again\n"
            "warning: shard 3/3: 2 of 2 samples are missing; run the same sweep with --shard 3/3 "
            "and merge again\n");
}

TEST_F(Merge, KnowsTheSamplesOfShardsThatShareTheirPrefixes) {
  const auto info = [](std::int64_t number) {
    reports::RunInfo info = info_of(number);
    info.shard->parts = {{1, "recall", "s1", 4096, {0, 5, 2}},
                         {2, "recall", "s1", 4096, {1}},
                         {3, "recall", "s1", 4096, {3, 4}}};
    return info;
  };
  write_run("1", info(1), {plain_record(0), plain_record(5), plain_record(2)});
  write_run("3", info(3), {plain_record(4)});
  testing::internal::CaptureStderr();
  merge("13");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("shard 2/3: 1 of 1 sample is missing"));
  EXPECT_THAT(said, HasSubstr("shard 3/3: 1 of 2 samples is missing"));
  EXPECT_THAT(said, testing::Not(HasSubstr("shard 1/3")));

  // Another version's shards do not say which samples these are.
  fs::remove_all(path("out"));
  testing::internal::CaptureStderr();
  write_run("2", info_of(2), {});
  merge("123");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

/// Every file below a folder.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(folder).string()] = read_file(entry.path(), "test");
  return files;
}

TEST_F(Merge, AgainIsTheSameToTheByteAlsoTogetherWithItself) {
  reports::RunInfo other = info_of(2);
  other.arithmetic["processor"] = "B";
  write_run("2", other, {plain_record(1), plain_record(4)});
  merge("123");
  fs::rename(path("out"), path("0"));
  merge("123");
  const auto first = files_of(path("0"));
  EXPECT_EQ(files_of(path("out")), first);
  merge("123");
  EXPECT_EQ(files_of(path("out")), first);
  merge_runs({path("out"), path("3")}, path("out"));
  const auto together = files_of(path("out"));
  EXPECT_EQ(together.at("journal.jsonl"), first.at("journal.jsonl")) << "no record twice";
  merge_runs({path("out"), path("3")}, path("out"));
  EXPECT_EQ(files_of(path("out")), together);
}

TEST_F(Merge, AgainGivesTheSameFolderAndAFoundShardIsAdded) {
  merge("12");
  const std::string journal = read_file(path("out") / "journal.jsonl", "test");
  merge("12");
  EXPECT_EQ(read_file(path("out") / "journal.jsonl", "test"), journal);
  merge("123");
  EXPECT_EQ(merged_samples(), 6);
  EXPECT_THAT(refusal("12"), HasSubstr("2 records that these runs do not have"));
  EXPECT_EQ(merged_samples(), 6) << "nothing is lost by a merge that is refused";
  EXPECT_THAT(read_last_run(path("out"))->error, HasSubstr("2 records")) << "but it is marked";
  merge("123");
  EXPECT_FALSE(read_last_run(path("out")));
  EXPECT_FALSE(fs::exists(path("out") / "journal.jsonl.part"));
}

TEST_F(Merge, KilledBetweenAnyTwoFilesItIsMergedAgain) {
  merge("123");
  const fs::path out = path("out");
  // Keeps only the files in `left`, as if the merge had been killed after writing them, and merges
  // again.
  const auto cut_off = [&](const std::vector<std::string>& left) {
    fs::rename(out, path("whole"));
    fs::create_directories(out);
    for (const std::string& name : left) {
      const bool part = name == "journal.jsonl.part";
      const fs::path from = path("whole") / (part ? "journal.jsonl" : name);
      if (part)
        write_file(out / name, read_file(from, "test").substr(0, 100));
      else
        fs::copy(from, out / name, fs::copy_options::recursive);
    }
    merge("123");
    EXPECT_EQ(merged_samples(), 6);
    EXPECT_FALSE(fs::exists(out / "journal.jsonl.part"));
    fs::remove_all(path("whole"));
  };
  cut_off({});
  cut_off({"journal.jsonl.part"});
  cut_off({"journal.jsonl.part", "plan.json"});
  cut_off({"plan.json", "journal.jsonl"});
  cut_off({"plan.json", "journal.jsonl", "tables"});
  cut_off({"plan.json", "journal.jsonl", "tables", "heatmaps", "lm_eval", "results.json"});
}

TEST_F(Merge, CarriesOnThatTheLastRunOfAShardDidNotEndWell) {
  mark_begun(path("2"));
  merge("123");
  const auto last = read_last_run(path("out"));
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->ended_well());
  EXPECT_THAT(last->error, HasSubstr(path("2").string() + ": its last run, begun"));
  mark_ended(path("2"), "{}");
  merge("123");
  EXPECT_FALSE(read_last_run(path("out"))) << "the same folder as where nothing went wrong";
}

TEST_F(Merge, OfItselfAfterAMergeThatWasRefusedIsAsGoodAsItWasBefore) {
  merge("123");
  fs::rename(path("3"), path("gone"));
  refusal("12");
  EXPECT_FALSE(read_last_run(path("out"))->ended_well());
  merge_runs({path("1"), path("2"), path("out")}, path("out"));
  EXPECT_FALSE(read_last_run(path("out"))) << "what the refusal advises does not end in a refusal";
  EXPECT_EQ(merged_samples(), 6);

  mark_begun(path("2"));
  merge_runs({path("2"), path("out")}, path("out"));
  mark_ended(path("2"), "{}");
  refusal("12");
  merge_runs({path("1"), path("2"), path("out")}, path("out"));
  EXPECT_THAT(read_last_run(path("out"))->error, HasSubstr(path("2").string()))
      << "it holds what a run that did not end gave";
}

TEST_F(Merge, PromisesTheSameInEveryOrderOfItsRuns) {
  reports::RunInfo adaptive = info_of(1), whole = info_of(2);
  adaptive.shard.reset();
  adaptive.planned = {{"recall", "s1", 4096, 40, true}};
  whole.shard.reset();
  write_run("1", adaptive, {plain_record(0)});
  write_run("2", whole, {plain_record(0), plain_record(1)});
  for (const char* order : {"12", "21"}) {
    fs::remove_all(path("out"));
    EXPECT_EQ(reports::count_missing(reports::missing_samples(merge(order).results)), 4) << order;
  }
}

TEST_F(Merge, KeepsTheConfigsOfAllItsRuns) {
  const std::map<std::string, std::string> configs = {{"1", "a"}, {"2", "b"}, {"3", "a"}};
  for (const auto& [name, config] : configs) {
    reports::RunInfo info = info_of(std::stoi(name));
    info.config_json = config;
    write_run(name, info, {});
  }
  const reports::RunInfo all = merge("123").results.run;
  EXPECT_EQ(all.config_json, "a");
  EXPECT_EQ(all.other_configs, std::vector<std::string>{"b"});
  const reports::RunInfo again = merge_runs({path("2"), path("out")}, path("out")).results.run;
  EXPECT_EQ(again.config_json, "b");
  EXPECT_EQ(again.other_configs, std::vector<std::string>{"a"});
}

TEST_F(Merge, RefusesAFolderThatHoldsAnythingElse) {
  write_run("out", info_of(1), {plain_record(0)});
  EXPECT_THAT(refusal("123"), HasSubstr("holds a run already"));
  fs::remove_all(path("out"));
  fs::create_directories(path("out") / "tables");
  EXPECT_THAT(refusal("123"), HasSubstr("holds tables"));
  fs::remove_all(path("out"));
  merge("123");
  write_file(path("mine"), "mine");
  fs::create_symlink(path("mine"), path("out") / "journal.jsonl.part");
  EXPECT_THAT(refusal("123"), HasSubstr("holds journal.jsonl.part, a link"));
  EXPECT_EQ(read_file(path("mine"), "test"), "mine");
  fs::remove(path("out") / "journal.jsonl.part");
  write_file(path("out") / "notes.txt", "mine");
  EXPECT_THAT(refusal("123"), HasSubstr("holds notes.txt"));
  EXPECT_EQ(read_file(path("out") / "notes.txt", "test"), "mine");
}

TEST_F(Merge, RefusesWhatWasComputedInOtherNumbersAndNamesAnotherProcessor) {
  reports::RunInfo other = info_of(2);
  other.arithmetic["dtype"] = "bf16";
  write_run("2", other, {plain_record(1), plain_record(4)});
  EXPECT_THAT(refusal("123"), HasSubstr("dtype was fp32, is now bf16"));
  other.arithmetic = {{"dtype", "fp32"}, {"processor", "B"}};
  write_run("2", other, {plain_record(1), plain_record(4)});
  const reports::Report report = merge("123");
  EXPECT_THAT(report.results.run.caveats.at(0), HasSubstr("processor (A against B)"));
  EXPECT_EQ(report.results.run.arithmetic.at("processor"), "A and B");
}

TEST_F(Merge, ContradictingRunsLeaveNothingThatLooksLikeARun) {
  reports::Record other = plain_record(0);
  other.score = 0;
  other.miss = "wrong_value";
  write_run("2", info_of(2), {other});
  EXPECT_THROW(merge("12"), DataError);
  EXPECT_TRUE(fs::is_empty(path("out")));
}

}  // namespace
}  // namespace niah
