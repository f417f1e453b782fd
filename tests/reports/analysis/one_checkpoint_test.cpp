#include "reports/analysis/one_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "harness/base/text.h"
#include "reports/analysis/findings.h"
#include "reports/analysis/variant_labels.h"
#include "reports/page.h"
#include "reports/report.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A run of one checkpoint as a config of one has it, found as `hit` says.
Results alone(std::int64_t n, const Hit& hit) {
  RunInfo info = nightly_info();
  info.lengths = {1024, 4096, 65536};
  info.variants[0].label = "Base";
  info.variants[0].description = "Base: the checkpoint before the fine-tune";
  info.published.clear();
  info.caveats.clear();
  info.title = "What it finds";
  info.config_json = R"({"models":[{"name":"hypenet","base":"checkpoints/v7",)"
                     R"("variants":[{"name":"base","of":"base"}]}]})";
  return nightly(n, hit, info);
}

/// Misses so many percent at 64K.
Hit missing_far(std::int64_t percent) {
  return [=](std::int64_t length, std::int64_t i) {
    return length != 65536 || i * 37 % 100 >= percent;
  };
}

std::string trust(const Results& results) {
  return trust_in_words(results, results.run.variants[0]);
}

TEST(OneCheckpoint, IsSureWhereTheWholeIntervalIsAboveTheBar) {
  Cell cell;
  EXPECT_EQ(standing_of(nullptr), Standing::kNotMeasured);
  EXPECT_EQ(standing_of(&cell), Standing::kNotMeasured);
  cell.n = cell.hits = 21;
  EXPECT_EQ(standing_of(&cell), Standing::kUndecided);
  cell.n = cell.hits = 22;
  EXPECT_EQ(standing_of(&cell), Standing::kSure);
  cell.n = 100;
  cell.hits = 80;
  EXPECT_EQ(standing_of(&cell), Standing::kUndecided);
  cell.hits = 70;
  EXPECT_EQ(standing_of(&cell), Standing::kShort);
}

TEST(OneCheckpoint, SaysHowFarItCanBeTrustedAndWhereItFallsShort) {
  EXPECT_EQ(
      trust(alone(100, always)),
      "hypenet can be trusted up to 64K in S2: up to there its recall is at least 85 %, by the "
      "95 % interval of every cell.");
  EXPECT_EQ(
      trust(alone(100, missing_far(60))),
      "hypenet can be trusted up to 4K in S2: up to there its recall is at least 85 %, by the "
      "95 % interval of every cell. It falls short of 85 % in S2 at 64K (40 %, n = 100).");
  EXPECT_EQ(trust(alone(8, always)),
            "hypenet: n is too small to say where it can be trusted; a recall of at least 85 % "
            "shows in a cell of 22 samples, all found, or of more.");
  EXPECT_EQ(trust(alone(100, [](std::int64_t, std::int64_t) { return false; })),
            "hypenet falls short of 85 % in S2 from 1K on (0 % at 1K, n = 100).");
  EXPECT_EQ(trust(alone(0, always)), "");
}

TEST(OneCheckpoint, SaysTaskByTaskWhereItIsSureUndecidedAndShort) {
  const Results results = alone(100, missing_far(60));
  EXPECT_THAT(
      standings_in_words(results, results.run.variants[0]),
      ElementsAre(StartsWith("S2: sure from 1K to 4K (100 %, n = 100), short at 64K (40 %, "
                             "n = 100, 95 % interval 31 to 50 %); all 60 missed answers "
                             "are \"wrong value\"."),
                  HasSubstr("The least certain is S2 at 64K, with a 95 % interval of 31 to 50 % "
                            "(n = 100); nothing longer than 64K was asked.")));
}

TEST(OneCheckpoint, NamesTheDepthWhereItIsWorst) {
  // Depths cycle through 40 values, of which the first 4 make a band.
  const Results results = alone(200, [](std::int64_t, std::int64_t i) { return i % 40 >= 4; });
  EXPECT_THAT(standings_in_words(results, results.run.variants[0]),
              Contains(HasSubstr("worst at depth 0 to 10 % (0 % over all lengths, n = 60)")));
}

/// The page without its style, and without what the test called things itself: the config, and the
/// fingerprint.
std::string words_of_page(const Results& results) {
  std::string page = report_page(results, analyse(results), {});
  page.erase(page.find("<style>"), page.find("</style>") - page.find("<style>"));
  const std::size_t config = page.find("<summary>Resolved configuration");
  page.erase(config, page.find("</details>", config) - config);
  page = replace_all(std::move(page), results.run.variants[0].fingerprint, "f-");
  std::transform(page.begin(), page.end(), page.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return page;
}

TEST(OneCheckpoint, HasAPageWithoutTheWordsOfAComparison) {
  for (const Hit& hit : {Hit(always), missing_far(60)}) {
    const Results results = alone(100, hit);
    const std::string page = words_of_page(results);
    for (const char* word : {"base", "fine-tun", "finetun", "loss", "lost", "recovered", "restor",
                             "brought back", "compared", "against", "baseline", "repair", "forgot",
                             "reference", "control", "variant", "of the first"})
      EXPECT_THAT(page, Not(HasSubstr(word))) << word;
    EXPECT_THAT(page, AllOf(HasSubstr("one checkpoint was asked: hypenet"),
                            HasSubstr("can be trusted up to"),
                            HasSubstr("hypenet, checkpoints/v7 (fingerprint f-")));
    EXPECT_THAT(summary_text(results, analyse(results), false),
                AllOf(Not(HasSubstr("Base")), Not(HasSubstr("variant")),
                      HasSubstr("can be trusted up to")));
  }
}

TEST(OneCheckpoint, KeepsTheNameThatItsConfigGivesIt) {
  Results results = alone(10, always);
  results.run.variants[0].label = "Base, 7B";
  EXPECT_EQ(label_of(results.run, results.run.variants[0]), "Base, 7B");
  results.run.variants[0].label = "Base";
  results.run.variants.push_back({"f-sft", "hypenet", "sft", "", Role::kTuned});
  EXPECT_EQ(label_of(results.run, results.run.variants[0]), "Base");
}

}  // namespace
}  // namespace niah::reports
