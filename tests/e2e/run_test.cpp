// A sweep from YAML to report, checked by its records: when killed, resumed, sharded, or
// multi-threaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/base/files.h"
#include "reports/journal_reader.h"
#include "tests/e2e/program.h"
#include "tests/paths.h"
#include "tests/temporary_folder.h"

namespace niah::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

const std::string kZoo = NIAH_SOURCE_DIR "/models/zoo";

/// A small sweep of the zoo's models on generated prose, so that it runs on any machine.
std::string small_sweep(const std::string& extra = "") {
  return "name: small\nhaystack: {kind: prose}\ntasks: [s1, s3]\nlengths: [1K, 2K]\nsamples: 4\n"
         "models:\n  - name: zoo\n    base: " +
         kZoo + "/base\n    sft: " + kZoo +
         "/cot-sft\n"
         "    variants: [base, sft, qk]\ntokenizer: " +
         kZoo +
         "/tokenizer\n"
         "reasoning: {samples: 2}\nruntime: {dtype: fp32, prefill_chunk: 128, threads: 1" +
         extra + "}\n";
}

class Run : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return temporary_.path() / name; }
  std::string config(const std::string& text) const {
    write_file(path("sweep.yaml"), text);
    return path("sweep.yaml").string();
  }
  /// Records by identity, without fields that may differ between equal runs.
  std::map<std::string, json> records(const std::string& run, bool with_cost = true) const {
    std::map<std::string, json> all;
    reports::read_records(path(run) / "journal.jsonl", [&](const reports::Record& record) {
      json line = record;
      line.erase("seconds");
      if (!with_cost) line.erase("computed_tokens");
      const std::string key = record.variant + record.kind + record.task +
                              std::to_string(record.length) + "#" + std::to_string(record.index);
      EXPECT_TRUE(all.emplace(key, line).second) << "doubled: " << key;
    });
    return all;
  }

  /// The size of a run's journal in bytes; 0 if there is none.
  std::uintmax_t journal_size(const std::string& run) const {
    std::error_code none;
    const auto bytes = fs::file_size(path(run) / "journal.jsonl", none);
    return none ? 0 : bytes;
  }

  TemporaryFolder temporary_;
};

TEST_F(Run, AdaptiveSamplingEndsACellWhenEveryVariantIsKnown) {
  const auto sweep = [&](int most) {
    std::string text = small_sweep();
    const std::string fixed = "samples: 4\n";
    text.replace(text.find(fixed), fixed.size(),
                 "samples: {max: " + std::to_string(most) + ", half_width: 0.13}\n");
    const std::string lengths = "lengths: [1K, 2K]";
    return text.replace(text.find(lengths), lengths.size(), "lengths: [1K]");
  };
  ASSERT_EQ(niah("run " + config(sweep(60)) + " --out " + path("whole").string()).code, 0);
  std::map<std::string, std::set<std::int64_t>> indexes;  // by variant and task
  for (const auto& [key, record] : records("whole"))
    if (record["kind"] == "recall")
      indexes[record["variant"].get<std::string>() + record["task"].get<std::string>()].insert(
          record["index"].get<std::int64_t>());
  ASSERT_EQ(indexes.size(), 6U);
  std::set<std::size_t> counts;
  for (const auto& [cell, seen] : indexes) {
    counts.insert(seen.size());
    EXPECT_EQ(*seen.rbegin() + 1, static_cast<std::int64_t>(seen.size())) << "the first ones";
    if (cell.ends_with("s1")) {
      EXPECT_EQ(seen.size(), 25U) << "all found: known at the first look";
    } else {
      EXPECT_GT(seen.size(), 25U) << "the fine-tune misses some";
    }
  }
  EXPECT_EQ(counts.size(), 2U) << "every variant of a cell has the same samples";

  // A run that is continued with more samples equals one that asks them all at once.
  ASSERT_EQ(niah("run " + config(sweep(11)) + " --out " + path("parts").string()).code, 0);
  ASSERT_EQ(niah("run " + config(sweep(60)) + " --out " + path("parts").string()).code, 0);
  EXPECT_EQ(records("parts", false), records("whole", false));
  EXPECT_THAT(read_file(path("parts") / "report.html", "test"), HasSubstr("Sampling was adaptive"));
}

TEST_F(Run, ShardsMergedAreTheWholeRun) {
  const std::string sweep = config(small_sweep());
  const auto run = [&](const std::string& more, const std::string& out) {
    return niah("run " + sweep + " " + more + " --out " + path(out).string());
  };
  ASSERT_EQ(run("", "whole").code, 0);
  for (const char* shard : {"1", "2", "3"}) {
    const Outcome part = run(std::string("--shard ") + shard + "/3", shard);
    ASSERT_EQ(part.code, 0) << part.output;
  }
  EXPECT_LT(records("1").size(), records("whole").size());
  const auto merge = [&](const std::string& runs) {
    std::string folders;
    for (const char c : runs) folders += path(std::string(1, c)).string() + " ";
    return niah("merge " + folders + "--out " + path("merged").string());
  };
  const Outcome lost = merge("12");
  EXPECT_EQ(lost.code, 3) << "a shard is missing";
  EXPECT_THAT(lost.output, HasSubstr("with --shard 3/3 and merge again"));
  EXPECT_THAT(read_file(path("merged") / "report.html", "test"), HasSubstr("have no record"));
  EXPECT_EQ(niah("report " + path("merged").string()).code, 3);
  EXPECT_EQ(niah("report --allow-missing " + path("merged").string()).code, 0);
  EXPECT_EQ(niah("report " + path("1").string()).code, 0) << "one shard is not the whole";
  const Outcome merged = merge("123");
  ASSERT_EQ(merged.code, 0) << merged.output;
  EXPECT_EQ(records("merged", false), records("whole", false));
  const auto cells = [&](const std::string& name) {
    return json::parse(read_file(path(name) / "results.json", "test"))["cells"];
  };
  ASSERT_EQ(cells("merged").size(), cells("whole").size());
  for (std::size_t i = 0; i < cells("whole").size(); ++i)
    EXPECT_EQ(cells("merged")[i]["hits"], cells("whole")[i]["hits"]);

  EXPECT_EQ(merge("12").code, 2) << "a record would be lost";
  EXPECT_EQ(niah("merge " + path("1").string() + " --out " + path("whole").string()).code, 2)
      << "never over a run";
  EXPECT_EQ(run("--shard 4/3", "x").code, 2);
  ASSERT_EQ(run("--set seed=9", "9").code, 0);
  fs::remove_all(path("merged"));
  const Outcome other = merge("19");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.output, HasSubstr("seed was 0, is now 9"));
  EXPECT_FALSE(fs::exists(path("merged") / "journal.jsonl"));
}

TEST_F(Run, SamplesFromAFileGiveTheRecordsOfGeneratedOnes) {
  const auto generate = [&](const std::string& task) {
    const Outcome made =
        niah("generate --task " + task + " --length 1K --samples 3 --tokenizer " + kZoo +
             "/tokenizer --haystack prose --out " + path(task + ".jsonl").string());
    ASSERT_EQ(made.code, 0) << made.output;
  };
  generate("s1");
  generate("s3");
  const std::string models = "models:\n  - name: zoo\n    base: " + kZoo + "/base\n" +
                             "tokenizer: " + kZoo + "/tokenizer\n" +
                             "runtime: {dtype: fp32, prefill_chunk: 128, threads: 1}\n";
  const std::string head = "name: small\n" + models;
  ASSERT_EQ(niah("run " +
                 config(head + "haystack: {kind: prose}\ntasks: [s1, s3]\nlengths: [1K]\n"
                               "samples: 3\n") +
                 " --out " + path("made").string())
                .code,
            0);
  const std::string from_file = head + "samples_from: [s1.jsonl, {path: s3.jsonl}]\n";
  const Outcome outcome = niah("run " + config(from_file) + " --out " + path("read").string());
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  auto made = records("made");
  for (auto& [key, record] : made)
    record["real_length"] = record["prompt_tokens"].get<int>() + 128;  // as for samples from files
  EXPECT_EQ(made, records("read"));
  // Nothing is asked twice, and a changed file makes it a different run.
  ASSERT_EQ(niah("run " + config(from_file) + " --out " + path("read").string()).code, 0);
  EXPECT_EQ(records("read").size(), 6U);
  fs::copy_file(path("s1.jsonl"), path("s3.jsonl"), fs::copy_options::overwrite_existing);
  const Outcome other = niah("run " + config(from_file) + " --out " + path("read").string());
  EXPECT_EQ(other.code, 3);
  EXPECT_THAT(other.output, HasSubstr("a second sample"));
  EXPECT_EQ(niah("run " + config(from_file + "seed: 1\n") + " --out " + path("x").string()).code,
            2);
}

TEST_F(Run, LittleMemoryForMarksChangesNoRecord) {
  const std::string with = config(small_sweep());
  ASSERT_EQ(niah("run " + with + " --out " + path("much").string()).code, 0);
  ASSERT_EQ(
      niah("run " + with + " --set runtime.mark_memory_mib=0 --out " + path("none").string()).code,
      0);
  EXPECT_EQ(records("much", false), records("none", false));
}

TEST_F(Run, AThoughtHasItsOwnRoomAndNamesItsMiss) {
  // The prompt format opens a thought, which a model of the zoo never ends.
  const std::string thinking =
      small_sweep() +
      "prompt: {format: custom, prefix: \"Question: \", suffix: \" <think>\"}\n"
      "generation: {max_thinking_tokens: 24}\n";
  const Outcome outcome = niah("run " + config(thinking) + " --out " + path("run").string());
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  int thoughts = 0;
  for (const auto& [key, record] : records("run")) {
    if (record["kind"] == "recall") {
      EXPECT_LE(record["real_length"].get<int>(), record["length"].get<int>());
      EXPECT_LE(record["prompt_tokens"].get<int>() + 24 + 128, record["length"].get<int>());
      EXPECT_FALSE(record.contains("value_rank") && !record["value_rank"].is_null()) << record;
    }
    EXPECT_LE(record["ids"].size(), 24U);
    if (record["miss"] == "still_thinking") ++thoughts;
    EXPECT_TRUE(record["text"].get<std::string>().starts_with("<think>"));
  }
  EXPECT_GT(thoughts, 0);
}

TEST_F(Run, ReasoningSetsOfTheUserStandBesideRecall) {
  write_file(
      path("gsm8k.jsonl"),
      "{\"question\": \"Tom has 5 apples and buys 3. How many has he now?\", \"answer\": \"5 + 3 "
      "= 8\\n#### 8\"}\n");
  write_file(path("math.jsonl"),
             "{\"problem\": \"What is one half?\", \"answer\": \"\\\\frac{1}{2}\"}\n");
  std::string sweep = small_sweep();
  const std::string old = "reasoning: {samples: 2}";
  sweep.replace(sweep.find(old), old.size(),
                "reasoning:\n  - {kind: word-problems, samples: 2}\n"
                "  - {kind: gsm8k, path: gsm8k.jsonl, max_new_tokens: 20}\n"
                "  - {kind: math500, path: math.jsonl, max_new_tokens: 20}");
  const Outcome outcome = niah("run " + config(sweep) + " --out " + path("run").string());
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  std::map<std::string, int> sets;
  for (const auto& [key, record] : records("run"))
    if (record["kind"] == "reasoning") ++sets[record["task"]];
  EXPECT_EQ(sets, (std::map<std::string, int>{{"gsm8k", 3}, {"math500", 3}, {"word-problems", 6}}));
  const std::string page = read_file(path("run") / "report.html", "test");
  EXPECT_THAT(page, HasSubstr("gsm8k"));
}

TEST_F(Run, SharingPrefixesChangesNoRecord) {
  const std::string with = config(small_sweep());
  ASSERT_EQ(niah("run " + with + " --out " + path("shared").string()).code, 0);
  ASSERT_EQ(
      niah("run " + with + " --set runtime.share_prefixes=false --out " + path("alone").string())
          .code,
      0);
  EXPECT_EQ(records("shared", false), records("alone", false));
}

TEST_F(Run, LengthsShareTheirBeginnings) {
  const std::string run = "run " + config(small_sweep()) + " --set tasks=[s3] ";
  const auto computed = [&](const std::string& name) {
    std::int64_t total = 0;
    for (const auto& [key, record] : records(name))
      if (record["kind"] == "recall") total += record["computed_tokens"].get<std::int64_t>();
    return total;
  };
  ASSERT_EQ(niah(run + "--out " + path("both").string()).code, 0);
  ASSERT_EQ(niah(run + "--set lengths=[1K] --out " + path("short").string()).code, 0);
  ASSERT_EQ(niah(run + "--set lengths=[2K] --out " + path("long").string()).code, 0);
  auto apart = records("short", false);
  apart.merge(records("long", false));
  EXPECT_EQ(records("both", false), apart);
  // The first half of the long text is not read a second time.
  EXPECT_LT(computed("both") + 500, computed("short") + computed("long"));
}

TEST_F(Run, ThreadsThatShareOneCellChangeNoRecord) {
  const std::string run = "run " + config(small_sweep()) + " --set tasks=[s2] --set lengths=[2K] ";
  ASSERT_EQ(niah(run + "--set runtime.threads=1 --out " + path("one").string()).code, 0);
  ASSERT_EQ(niah(run + "--set runtime.threads=3 --out " + path("three").string()).code, 0);
  EXPECT_FALSE(records("one", false).empty());
  EXPECT_EQ(records("three", false), records("one", false));
  // When the command is repeated, nothing is asked twice.
  const auto lines = records("three", false).size();
  ASSERT_EQ(niah(run + "--set runtime.threads=3 --out " + path("three").string()).code, 0);
  EXPECT_EQ(records("three", false).size(), lines);
}

TEST_F(Run, KilledAnywhereItResumesToTheSameRecords) {
  const std::string sweep = config(small_sweep());
  ASSERT_EQ(niah("run " + sweep + " --out " + path("whole").string()).code, 0);
  for (int kill = 0; kill < 4; ++kill) {
    // Wait for a few more records, so that the machine's speed does not matter.
    const auto before = journal_size("killed");
    Background run({"run", sweep, "--out", path("killed").string()});
    EXPECT_TRUE(run.wait_until([&] { return journal_size("killed") >= before + 3000; }));
    EXPECT_TRUE(WIFSIGNALED(run.end_with(SIGKILL))) << "it had ended before kill " << kill;
  }
  const Outcome last = niah("run " + sweep + " --out " + path("killed").string());
  ASSERT_EQ(last.code, 0) << last.output;
  EXPECT_THAT(last.output, HasSubstr("continuing"));
  EXPECT_EQ(records("killed", false), records("whole", false));
  const Outcome again = niah("run " + sweep + " --out " + path("killed").string());
  EXPECT_EQ(again.code, 0) << "a finished run only draws its report again";
  EXPECT_EQ(records("killed", false), records("whole", false));
}

TEST_F(Run, InterruptSavesAndExits130) {
  const std::string sweep = config(small_sweep());
  ASSERT_EQ(niah("run " + sweep + " --out " + path("whole").string()).code, 0);
  const auto whole = records("whole", false);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string name = "run" + std::to_string(signal);
    Background run({"run", sweep, "--out", path(name).string()});
    ASSERT_TRUE(run.wait_until([&] { return journal_size(name) > 0; }));
    const int status = run.end_with(signal);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 130);
    // What was answered is in the journal, in complete lines, and is not asked again.
    const auto journal = read_file(path(name) / "journal.jsonl", "test");
    EXPECT_TRUE(journal.ends_with('\n'));
    const auto saved = records(name, false);
    EXPECT_GT(saved.size(), 0U);
    EXPECT_LT(saved.size(), whole.size()) << "it had ended before the signal";
    const Outcome rest = niah("run " + sweep + " --out " + path(name).string());
    EXPECT_EQ(rest.code, 0) << rest.output;
    const std::string there = saved.size() == 1 ? "1 record is" : std::to_string(saved.size()) + " records are";
    EXPECT_THAT(rest.output, HasSubstr("continuing: " + there + " there already"));
    EXPECT_TRUE(read_file(path(name) / "journal.jsonl", "test").starts_with(journal));
    EXPECT_EQ(records(name, false), whole);
  }
}

}  // namespace
}  // namespace niah::e2e
