// Nights played through `niah regress`: none is green but those that are, in the exit code, in
// JUnit and in the first line of the summary.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/plan/run_mark.h"
#include "tests/harness/cli/played_run.h"
#include "tests/harness/cli/regress_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using reports::Record;

struct Night {
  std::string name;
  int code = 0;
  std::string first_line;  ///< of the summary: its beginning
  std::string junit;       ///< in JUnit: "" for none of failure, error and skipped
  std::function<void(PlayedRun&)> tonight = [](PlayedRun&) {};
  std::function<void(const fs::path& folder)> afterwards = [](const fs::path&) {};
  std::function<void(PlayedRun&)> baseline = [](PlayedRun&) {};
  std::vector<std::string> options{};
  bool has_baseline = true;
  /// What `niah report` exits with where only `niah regress` refuses the night: it draws the run
  /// again from its journal, whatever became of the results, and does not ask how old it is.
  std::optional<int> drawn_again{};
};

void PrintTo(const Night& night, std::ostream* out) { *out << night.name; }

bool is_far(const Record& record) { return record.length == 65536; }
/// `percent` of the samples, spread over depths and lengths.
std::function<bool(const Record&)> share(std::int64_t percent) {
  return [percent](const Record& record) { return record.index * 37 % 100 < percent; };
}

const std::string kGreen = "## No recall was lost", kRed = "## Recall was lost",
                  kGap = "## Not everything could be measured",
                  kThin = "## The evidence does not suffice", kRefused = "## Not compared: ";

void set_arithmetic(PlayedRun& run, const char* name, const char* value) {
  run.info.arithmetic[name] = value;
}

std::vector<Night> measured_nights() {
  return {
      {.name = "unchanged", .first_line = kGreen, .junit = ""},
      {.name = "new weights, the same answers",
       .first_line = kGreen,
       .junit = "",
       .tonight =
           [](PlayedRun& run) {
             run.info.variants[0].fingerprint = "f-new";
             run.change([](const Record&) { return true; },
                        [](Record record) {
                          record.variant = "f-new";
                          return record;
                        });
           }},
      {.name = "better",
       .first_line = kGreen,
       .junit = "",
       .baseline = [](PlayedRun& run) { run.lose(share(20)); }},
      {.name = "a few samples lost, a few gained",
       .first_line = kGreen,
       .junit = "",
       .tonight =
           [](PlayedRun& run) { run.lose([](const Record& r) { return r.index % 50 == 3; }); },
       .baseline =
           [](PlayedRun& run) { run.lose([](const Record& r) { return r.index % 50 == 7; }); }},
      {.name = "slightly damaged",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight = [](PlayedRun& run) { run.lose(share(15)); }},
      {.name = "damaged",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight = [](PlayedRun& run) { run.lose(share(40)); }},
      {.name = "amnesic",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight = [](PlayedRun& run) { run.lose([](const Record&) { return true; }); }},
      {.name = "damaged far out alone",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight =
           [](PlayedRun& run) {
             run.lose([](const Record& r) { return is_far(r) && share(20)(r); });
           }},
      {.name = "damaged in one band of depth",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight = [](PlayedRun& run) { run.lose([](const Record& r) { return r.depth < 10; }); }},
      {.name = "one cell lost, the other not a number",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight =
           [](PlayedRun& run) {
             run.lose([](const Record& r) { return !is_far(r); });
             run.change(is_far, [](const Record& r) { return unmeasured(r, "not_finite"); });
           }},
      {.name = "not a number anywhere",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight =
           [](PlayedRun& run) {
             run.change([](const Record&) { return true; },
                        [](const Record& r) { return unmeasured(r, "not_finite"); });
           }},
      {.name = "not a number in one sample",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight =
           [](PlayedRun& run) {
             run.change([](const Record& r) { return is_far(r) && r.index == 7; },
                        [](const Record& r) { return unmeasured(r, "not_finite"); });
           }},
      {.name = "out of memory in a cell",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight =
           [](PlayedRun& run) {
             run.change(is_far, [](const Record& r) { return unmeasured(r); });
           }},
      {.name = "a cell that was not asked",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight = [](PlayedRun& run) { run.drop(is_far); }},
      {.name = "fewer samples",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight = [](PlayedRun& run) { run.drop([](const Record& r) { return r.index >= 100; }); }},
      {.name = "fewer samples, which is allowed",
       .first_line = kGreen,
       .junit = "",
       .tonight = [](PlayedRun& run) { run.drop([](const Record& r) { return r.index >= 150; }); },
       .options = {"--allow-fewer-samples"}},
      {.name = "too few samples, which is allowed",
       .code = 4,
       .first_line = kThin,
       .junit = "<skipped",
       .tonight = [](PlayedRun& run) { run.drop([](const Record& r) { return r.index >= 10; }); },
       .options = {"--allow-fewer-samples"}},
      {.name = "a drop that may be chance",
       .code = 4,
       .first_line = kThin,
       .junit = "<skipped",
       .tonight =
           [](PlayedRun& run) {
             run.drop([](const Record& r) { return r.index >= 30; });
             run.lose([](const Record& r) { return r.index < 3; });
           },
       .options = {"--allow-fewer-samples"}},
      {.name = "adaptive, ended early",
       .first_line = kGreen,
       .junit = "",
       .tonight =
           [](PlayedRun& run) {
             run.allow_early_ends();
             run.drop([](const Record& r) { return r.index >= 150; });
           }},
      {.name = "adaptive, ended early and damaged",
       .code = 1,
       .first_line = kRed,
       .junit = "<failure",
       .tonight =
           [](PlayedRun& run) {
             run.allow_early_ends();
             run.drop([](const Record& r) { return r.index >= 150; });
             run.lose(share(40));
           }},
      {.name = "adaptive, with a gap",
       .code = 3,
       .first_line = kGap,
       .junit = "<error",
       .tonight =
           [](PlayedRun& run) {
             run.allow_early_ends();
             run.drop([](const Record& r) { return r.index == 40; });
           }},
      {.name = "another processor",
       .first_line = kGreen,
       .junit = "",
       .tonight = [](PlayedRun& run) { set_arithmetic(run, "processor", "Xeon"); },
       .baseline = [](PlayedRun& run) { set_arithmetic(run, "processor", "EPYC"); }},
      {.name = "another dtype, which is allowed",
       .first_line = kGreen,
       .junit = "",
       .tonight = [](PlayedRun& run) { set_arithmetic(run, "dtype", "bf16"); },
       .options = {"--allow-other-arithmetic"}},
  };
}

std::vector<Night> refused_nights() {
  const auto refused = [](std::string name, std::string reason) {
    return Night{.name = std::move(name),
                 .code = 3,
                 .first_line = kRefused + std::move(reason),
                 .junit = "<error"};
  };
  std::vector<Night> nights;
  const auto add = [&](const std::string& name, const std::string& reason,
                       std::function<void(PlayedRun&)> tonight) {
    nights.push_back(refused(name, reason));
    nights.back().tonight = std::move(tonight);
  };
  const auto add_harm = [&](const std::string& name, const std::string& reason,
                            std::optional<int> drawn_again,
                            std::function<void(const fs::path&)> afterwards) {
    nights.push_back(refused(name, reason));
    nights.back().afterwards = std::move(afterwards);
    nights.back().drawn_again = drawn_again;
  };
  const std::string comparing = "comparing with the baseline: ";
  add("another seed", comparing + "the seed differs", [](PlayedRun& run) { run.info.seed = 7; });
  add("another haystack", comparing + "the haystack differs",
      [](PlayedRun& run) { run.info.haystack = "kjv 0123"; });
  add("another tokenizer", comparing + "the tokenizer differs",
      [](PlayedRun& run) { run.info.tokenizer = "another"; });
  add("another protocol", comparing + "the protocol differs", [](PlayedRun& run) {
    run.info.protocol = "ruler";
    for (Record& record : run.records) record.protocol = "ruler";
  });
  add("another dtype", comparing + "the dtype differs",
      [](PlayedRun& run) { set_arithmetic(run, "dtype", "bf16"); });
  add("another device", comparing + "the device differs",
      [](PlayedRun& run) { set_arithmetic(run, "device", "cuda"); });
  add("another prompt", comparing + "sample 0 of S2 at 4K has another prompt", [](PlayedRun& run) {
    for (Record& record : run.records) record.prompt_sha256 = std::string(64, 'e');
  });
  add("a model that was renamed", comparing + "it has 'hypenet base', this run has 'other base'",
      [](PlayedRun& run) { run.info.variants[0].model = "other"; });
  add_harm("a run that was refused", "--current ", {},
           [](const fs::path& folder) { mark_failed(folder, "the server is not there"); });
  add_harm("a run that was killed", "--current ", {},
           [](const fs::path& folder) { mark_begun(folder); });
  add_harm("a config that cannot be read", "--current ", {}, [](const fs::path& folder) {
    EXPECT_ANY_THROW(with_mark(folder, []() -> ExitCode { throw UsageError("no such key"); }));
  });
  add_harm("a stale folder that went on", "--current ", 0, [](const fs::path& folder) {
    const std::string journal = read_file(folder / "journal.jsonl", "test");
    write_file(folder / "journal.jsonl", journal + journal.substr(0, journal.find('\n') + 1));
  });
  add_harm("half a journal", "--current ", 3, [](const fs::path& folder) {
    const std::string journal = read_file(folder / "journal.jsonl", "test");
    write_file(folder / "journal.jsonl", journal.substr(0, journal.size() / 2));
  });
  add_harm("no results", "--current ", 0,
           [](const fs::path& folder) { fs::remove(folder / "results.json"); });
  add_harm("half of its results", "", 0, [](const fs::path& folder) {
    const std::string results = read_file(folder / "results.json", "test");
    write_file(folder / "results.json", results.substr(0, results.size() / 2));
  });
  add_harm("no run at all", "--current ", {},
           [](const fs::path& folder) { fs::remove_all(folder); });
  nights.push_back(
      refused("a folder of an earlier night", "--max-age 12: the run ended 2026-01-28"));
  nights.back().options = {"--max-age", "12"};
  nights.back().drawn_again = 0;
  nights.push_back(refused("no baseline", "--baseline "));
  nights.back().has_baseline = false;
  return nights;
}

/// What a night left.
struct Left {
  int code = 0;
  std::string junit, summary, history;
  int report_code = 0;
  std::string page{};  ///< as `niah report --baseline` draws it afterwards; empty: there is no run
};

/// The folder of a few nights, in which every night finds the green files of the one before.
class Nights : public testing::TestWithParam<Night>, protected RegressFolder {
 protected:
  Left play(const Night& night) const {
    PlayedRun().write(path("baseline"));
    PlayedRun().write(path("tonight"));
    EXPECT_EQ(regress({}), 0);
    PlayedRun before, now;
    night.baseline(before);
    night.tonight(now);
    before.write(path("baseline"));
    if (!night.has_baseline) fs::remove_all(path("baseline"));
    now.info.finished = "2026-01-28T03:00:00Z";
    now.write(path("tonight"));
    night.afterwards(path("tonight"));
    const int code = regress(night.options);
    Left left = {code, read("regress.xml"), read("regress.md"), read("history.jsonl")};
    if (!fs::exists(path("tonight"))) return left;
    const bool has_age = std::find(night.options.begin(), night.options.end(), "--max-age") !=
                         night.options.end();  // no option of the gate
    left.report_code = report(has_age ? std::vector<std::string>{} : night.options);
    left.page = read("tonight/report.html");
    return left;
  }
};

TEST_P(Nights, AreGreenOnlyWhereNothingWasLost) {
  const Night& night = GetParam();
  const Left left = play(night);
  EXPECT_EQ(left.code, night.code);
  EXPECT_THAT(left.summary, testing::StartsWith(night.first_line));
  const bool is_green = left.junit.find("<failure") == std::string::npos &&
                        left.junit.find("<error") == std::string::npos &&
                        left.junit.find("<skipped") == std::string::npos;
  EXPECT_EQ(is_green, night.code == 0) << left.junit;
  EXPECT_THAT(left.junit, testing::HasSubstr(night.junit));
  EXPECT_EQ(std::count(left.history.begin(), left.history.end(), '\n'), 2);
  const auto last = nlohmann::json::parse(left.history.substr(left.history.find('\n') + 1));
  EXPECT_EQ(last.at("exit_code"), night.code);
  EXPECT_EQ(last.contains("refused"), night.first_line.starts_with(kRefused));
}

TEST_P(Nights, HaveAPageThatIsGreenOnlyWhereNothingWasLost) {
  const Night& night = GetParam();
  const Left left = play(night);
  if (left.page.empty()) return;
  EXPECT_EQ(left.report_code, night.drawn_again.value_or(night.code));
  EXPECT_EQ(left.page.find("verdict passed\"") != std::string::npos, left.report_code == 0);
  EXPECT_EQ(left.page.find("Not compared with the baseline: ") != std::string::npos,
            night.first_line.starts_with(kRefused) && !night.drawn_again);
}

std::string name_of(const testing::TestParamInfo<Night>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Measured, Nights, testing::ValuesIn(measured_nights()), name_of);
INSTANTIATE_TEST_SUITE_P(Refused, Nights, testing::ValuesIn(refused_nights()), name_of);

}  // namespace
}  // namespace niah
