#include "reports/gate/page_section.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "reports/gate/evidence.h"
#include "reports/gate/junit.h"
#include "reports/gate/verdict_json.h"
#include "reports/page.h"
#include "tests/reports/synthetic_run.h"
#include "tests/temporary_folder.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Hit losing_far(std::int64_t percent) {
  return [=](std::int64_t length, std::int64_t i) {
    return length == 4096 || i * 37 % 100 >= percent;
  };
}

std::string page_with(const Results& current, const BaselineSections& sections) {
  return report_page(current, analyse(current), {}, false, sections);
}

std::string page_against(const Results& baseline, const Results& current,
                         const GateOptions& options = {}) {
  Verdict verdict = gate(baseline, current, options);
  verdict.current.place = "nights/3";
  return page_with(current, baseline_sections({baseline}, current, {verdict}));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(PageAgainstABaseline, CountsRegressionsInThePlural) {
  const Hit half = [](std::int64_t, std::int64_t i) { return i % 2 == 0; };
  const std::string page = page_against(nightly(200, always), nightly(200, half));
  EXPECT_THAT(page, AllOf(HasSubstr("Recall was lost. 2 cells: 2 regressions."),
                          HasSubstr("<td>recall fell at every depth</td>")));
}

TEST(PageAgainstABaseline, BeginsWithTheVerdict) {
  const std::string page = page_against(nightly(200, always), nightly(200, losing_far(30)));
  EXPECT_THAT(page,
              AllOf(HasSubstr("class=\"answer verdict lost\""),
                    HasSubstr("Recall was lost. 2 cells: 1 regression, 1 pass."),
                    HasSubstr("this run: nights/3, ended"), Not(HasSubstr("verdict passed\""))));
  EXPECT_LT(page.find("id=\"verdict\""), page.find("aria-label=\"The answer\""));
  EXPECT_LT(page.find("id=\"verdict\""), page.find("id=\"turned\""));
}

TEST(PageAgainstABaseline, IsGreenOnlyWhereNothingWasLost) {
  EXPECT_THAT(page_against(nightly(200, always), nightly(200, always)),
              HasSubstr("class=\"answer verdict passed\""));
  GateOptions lenient;
  lenient.inconclusive_passes = true;
  EXPECT_THAT(page_against(nightly(10, always), nightly(10, always), lenient),
              HasSubstr("class=\"answer verdict unknown\""));
  EXPECT_THAT(page_against(nightly(200, always), nightly(0, always)),
              HasSubstr("class=\"answer verdict unknown\""));
}

TEST(PageAgainstABaseline, NamesEveryComparisonAndShowsTheWorst) {
  const std::vector<Results> baselines = {nightly(200, losing_far(40)), nightly(200, always)};
  const Results current = nightly(200, losing_far(40));
  Verdicts verdicts;
  for (const Results& baseline : baselines)
    verdicts.push_back(gate(baseline, current, {.comparisons = 2}));
  verdicts[0].baseline.place = "old";
  verdicts[1].baseline.place = "<new>";
  const BaselineSections sections = baseline_sections(baselines, current, verdicts);
  EXPECT_THAT(sections.verdict,
              AllOf(HasSubstr("class=\"answer verdict lost\""),
                    HasSubstr("Recall was lost against 1 of 2 baselines: &lt;new&gt; (ended"),
                    HasSubstr("<li>against old (ended"), HasSubstr("No recall was lost. 2 cells"),
                    HasSubstr("the worst of these comparisons")));
  ASSERT_EQ(sections.maps.size(), 1U);
  EXPECT_LT(sections.maps[0].map.cells[0][1].value, 0.0);
  EXPECT_THAT(sections.samples, HasSubstr("80 samples lost"));
  std::swap(verdicts[0], verdicts[1]);
  EXPECT_EQ(baseline_sections({baselines[1], baselines[0]}, current, verdicts).samples,
            sections.samples);
  EXPECT_THAT(gate_report(verdicts), testing::StartsWith("Recall was lost against 1 of 2"));
}

TEST(PageAgainstABaseline, SaysOnTopWhyNothingWasCompared) {
  const Results current = nightly(200, always);
  const std::string page = page_with(current, refused_sections("the <seed> differs"));
  EXPECT_THAT(page, AllOf(HasSubstr("class=\"answer verdict unknown\""),
                          HasSubstr("Not compared with the baseline: the &lt;seed&gt; differs"),
                          Not(HasSubstr("verdict passed\"")), Not(HasSubstr("id=\"turned\"")),
                          Not(HasSubstr("id=\"against-baseline\""))));
  EXPECT_LT(page.find("id=\"verdict\""), page.find("aria-label=\"The answer\""));
}

TEST(PageAgainstABaseline, SaysNothingOfOneWithoutAComparison) {
  const Results current = nightly(200, always);
  const std::string page = report_page(current, analyse(current), {});
  const std::size_t body = page.find("<body");
  ASSERT_NE(body, page.npos) << "what stands before is the style, which knows a verdict's class";
  EXPECT_THAT(page.substr(body), AllOf(Not(HasSubstr("verdict")), Not(HasSubstr("baseline"))));
}

TEST(PageAgainstABaseline, MapsTheDifferenceByDepthAndLengthWithN) {
  const Results baseline = nightly(200, always), current = nightly(200, losing_far(30));
  const BaselineSections sections =
      baseline_sections({baseline}, current, {gate(baseline, current)});
  ASSERT_EQ(sections.maps.size(), 1U);
  const BaselineMap& one = sections.maps[0];
  EXPECT_EQ(one.task, "s2");
  EXPECT_EQ(one.samples, "n = 20 a square");
  ASSERT_EQ(one.map.cells.size(), 10U);
  EXPECT_EQ(one.map.cells[0][0].value, 0.0);
  EXPECT_LT(one.map.cells[0][1].value, 0.0);
  EXPECT_EQ(one.map.cells[0][1].n, 20);
  EXPECT_EQ(one.map.scale, Scale::kDifference);
  EXPECT_THAT(page_with(current, sections),
              AllOf(HasSubstr("n\u00A0=\u00A020 a square"), HasSubstr("id=\"baseline-0-gap\""),
                    HasSubstr("S2: base, this run minus the baseline, in points, and n")));
}

TEST(PageAgainstABaseline, HasAGapWhereTonightHasNothing) {
  const Results baseline = nightly(200, always);
  RunInfo info = nightly_info();
  info.lengths = {4096};
  const Results current = nightly(200, always, info);
  const BaselineSections sections =
      baseline_sections({baseline}, current, {gate(baseline, current)});
  ASSERT_EQ(sections.maps.size(), 1U);
  EXPECT_EQ(sections.maps[0].map.columns.size(), 2U);
  EXPECT_FALSE(sections.maps[0].map.cells[0][1].value);
  EXPECT_THAT(
      baseline_sections({baseline}, nightly(0, always), {gate(baseline, nightly(0, always))}).maps,
      IsEmpty());
}

TEST(PageAgainstABaseline, ListsLostAndGainedSamplesWithTheLinesToCopy) {
  const Results baseline = nightly(200, [](std::int64_t, std::int64_t i) { return i != 99; });
  const Results current = nightly(200, losing_far(30));
  Verdict verdict = gate(baseline, current);
  verdict.current.place = "nights/it's 3 %";
  verdict.cells[1].lost[0].expected = "7654321";
  verdict.cells[1].lost[0].now = "<script>no</script>";
  const std::string samples = baseline_sections({baseline}, current, {verdict}).samples;
  EXPECT_THAT(samples, AllOf(HasSubstr("60 samples lost, 1 gained"),
                             HasSubstr("lost <code>s2@64K#0</code>, depth 0&nbsp;%"),
                             HasSubstr("expected <code><bdi>7654321</bdi></code>, the baseline "
                                       "found it, this run said <code><bdi>&lt;script&gt;"),
                             HasSubstr("niah show &#39;nights/it&#39;\\&#39;&#39;s 3 %&#39; "
                                       "&#39;s2@64K#0&#39;\nniah replay "),
                             HasSubstr("gained <code>s2@64K#99</code>"),
                             HasSubstr("<summary>hypenet base S2 at 4K: 0 samples lost, 1")));
  EXPECT_EQ(count_of(samples.substr(0, samples.find("<details")), "lost <code>"), kMostShown);
  EXPECT_EQ(count_of(samples, "lost <code>"), 60U);
}

TEST(PageAgainstABaseline, NamesSamplesBeyondTheListedOnes) {
  const Results baseline = nightly(200, always);
  const Results current = nightly(200, [](std::int64_t, std::int64_t) { return false; });
  const std::string samples =
      baseline_sections({baseline}, current, {gate(baseline, current)}).samples;
  EXPECT_EQ(count_of(samples, "lost <code>"), 2 * kMostListed);
  EXPECT_THAT(samples, AllOf(HasSubstr("Without their answers: s2@4K#100, s2@4K#101"),
                             HasSubstr("s2@64K#199</p>"), Not(HasSubstr("niah show"))));
}

TEST(Alarm, NamesThePage) {
  Verdict verdict = gate(nightly(200, always), nightly(200, losing_far(30)));
  verdict.current.place = "nights/3";
  EXPECT_THAT(gate_lines(verdict), Not(HasSubstr("page: ")));
  verdict.page = "nights/a b/report.html";
  EXPECT_THAT(gate_lines(verdict), HasSubstr("\npage: nights/a b/report.html\nRecall was lost."));
  EXPECT_THAT(gate_report(verdict), testing::StartsWith("Recall was lost. 2 cells:"));
  EXPECT_THAT(gate_markdown(verdict, "nights/regress.md"),
              HasSubstr("\n- page: [nights/a b/report.html](a%20b/report.html)\n"));
  EXPECT_THAT(gate_markdown(verdict, "regress.md"), HasSubstr("](nights/a%20b/report.html)\n"));
  EXPECT_THAT(junit_xml(verdict, "n"),
              AllOf(HasSubstr("<property name=\"page\" value=\"nights/a b/report.html\"/>"),
                    HasSubstr("page: nights/a b/report.html\n</failure>")));
  EXPECT_THAT(verdict_json(verdict), HasSubstr("\"page\": \"nights/a b/report.html\""));
  EXPECT_THAT(refusal_markdown("no", "nights/3/report.html", "nights/regress.md"),
              HasSubstr("- page: [nights/3/report.html](3/report.html)\n"));
  EXPECT_THAT(junit_of_refusal("no", "n", "p.html"),
              HasSubstr("<property name=\"page\" value=\"p.html\"/>"));
}

}  // namespace
}  // namespace niah::reports
