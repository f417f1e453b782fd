// Palette, tables and heatmaps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

#include "harness/base/error.h"
#include "reports/draw/heatmap.h"
#include "reports/draw/html.h"
#include "reports/draw/line_chart.h"
#include "reports/draw/palette.h"
#include "reports/draw/png.h"
#include "reports/draw/table.h"
#include "reports/draw/ticks.h"
#include "reports/format.h"
#include "tests/reports/synthetic_run.h"

namespace niah::reports {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
    ++count;
  return count;
}

TEST(Format, NumbersAsPeopleReadThem) {
  EXPECT_EQ(percent(0.4166), "41.7");
  EXPECT_EQ(percent_words(0.4166), "42 %");
  EXPECT_EQ(percent_words(0.996), "99.6 %");  // not rounded up to 100
  EXPECT_EQ(percent_words(0.004), "0.4 %");
  EXPECT_EQ(percent_words(1), "100 %");
  EXPECT_EQ(percent_words(0), "0 %");
  EXPECT_EQ(percent_signed(-0.113), "−11");
  EXPECT_EQ(signed_number(-0.04), "0.0");
  EXPECT_EQ(signed_number(12.5), "+12.5");
  EXPECT_EQ(p_value(0.00002), "< 0.001");
  EXPECT_EQ(cell_label("s3", 65536), "S3 at 64K");
  EXPECT_EQ(cell_label("math500", 0), "math500");
  EXPECT_EQ(unbroken("40 % (n = 12)"), "40\u00A0% (n\u00A0=\u00A012)");
  EXPECT_EQ(with_fingerprint_named("kjv f4b96b3961e43ead"), "kjv (fingerprint f4b96b3961e43ead)");
  EXPECT_EQ(with_fingerprint_named("prose (generator 1)"), "prose (generator 1)");
  EXPECT_EQ(with_fingerprint_named("f4b96b3961e43ead"), "f4b96b3961e43ead");
  EXPECT_EQ(shorten("añb", 2), "añ…");
  EXPECT_EQ(shorten("añ", 2), "añ");
  EXPECT_EQ(file_stem("QK-Restore (λ = 0.1)/../x"), "qk-restore-0-1-x");
  EXPECT_EQ(file_stem("λ"), "unnamed");
  EXPECT_EQ(one_line("a\nb\x1b[2J"), "a b [2J");
}

TEST(Palette, GetsLighterWithRecallAndSymmetricallyDarkerWithDifference) {
  constexpr Colour kBlack = {0, 0, 0};
  double last = 0;
  for (int i = 0; i <= 100; ++i) {
    const double lightness = contrast(recall_colour(i / 100.0), kBlack);
    EXPECT_GT(lightness, last) << i;
    last = lightness;
  }
  for (int i = 0; i <= 10; ++i) {
    const double lost = contrast(difference_colour(-i / 10.0), kBlack);
    const double gained = contrast(difference_colour(i / 10.0), kBlack);
    EXPECT_NEAR(lost / gained, 1, 0.25) << i;
  }
  EXPECT_EQ(recall_colour(2), recall_colour(1));
}

TEST(Palette, InkIsReadableOnEveryColour) {
  for (int i = 0; i <= 100; ++i) {
    for (const Colour colour : {recall_colour(i / 100.0), difference_colour(i / 50.0 - 1)})
      EXPECT_GE(contrast(colour, ink_on(colour)), 4.5) << hex(colour);
  }
}

Table small_table() {
  return {"t",
          "A & B | 100 %",
          {{"name", Align::kLeft}, {"n", Align::kRight, "base"}, {"%", Align::kRight, "base"}},
          {{"x_1, \"q\"", "5", "−3"}, {"two\nlines", "50", "–"}}};
}

TEST(Format, OneLineMovesNoTerminal) {
  EXPECT_EQ(one_line("a\nb\tc\x1b[31m"), "a b c [31m");
  EXPECT_EQ(one_line("C1 \u009B2J, right \u202Eto left\u2069\u2028é ±"),
            "C1  2J, right  to left  é ±");
}

TEST(Table, Markdown) {
  EXPECT_EQ(markdown(small_table()),
            "**A & B \\| 100 %**\n\n| name | base: n | base: % |\n| --- | ---: | ---: |\n"
            "| x\\_1, \"q\" | 5 | −3 |\n| two lines | 50 | – |\n");
}

TEST(Table, Csv) {
  EXPECT_EQ(csv(small_table()),
            "name,base: n,base: %\r\n\"x_1, \"\"q\"\"\",5,−3\r\ntwo lines,50,–\r\n");
}

TEST(Table, Latex) {
  const std::string tex = latex(small_table());
  EXPECT_THAT(tex, HasSubstr("\\caption{A \\& B | 100 \\%}"));
  EXPECT_THAT(tex, HasSubstr(" & \\multicolumn{2}{c}{base} \\\\\n\\cmidrule(lr){2-3}\n"));
  EXPECT_THAT(tex, HasSubstr("x\\_1, \"q\" & 5 & $-$3 \\\\\n"));
  EXPECT_THAT(tex, HasSubstr("\\toprule"));
}

TEST(Table, TerminalAlignsAndGoesOnBelowWhenTooWide) {
  Table table{"t", "", {{"cell", Align::kLeft}, {"first"}, {"second"}}, {}};
  table.add_row({"S1 4K", "100.0", "–"});
  EXPECT_EQ(terminal(table), "cell   first  second\nS1 4K  100.0       –\n");
  EXPECT_EQ(terminal(table, 14), "cell   first\nS1 4K  100.0\n\ncell   second\nS1 4K       –\n");
  EXPECT_THAT(terminal(table, 100, 1, true), HasSubstr("\x1b[1m"));
  table.rows[0][0] = "\x1b[2J";
  EXPECT_THAT(terminal(table), Not(HasSubstr("\x1b")));
}

TEST(Table, RefusesARowOfTheWrongSize) {
  Table table = small_table();
  EXPECT_THROW(table.add_row({"one"}), std::logic_error);
}

TEST(Markup, EscapesAndIsolatesForeignText) {
  EXPECT_EQ(html_foreign("<b>\u202Ex"), "<bdi>&lt;b&gt;\u202Ex</bdi>");
  EXPECT_THAT(html_table({"t", "<i>", {{"<u>"}}, {{"<s>"}}}),
              Not(testing::ContainsRegex("<[ius]>")));
}

TEST(Heatmap, DrawsEveryCellGapsAsGaps) {
  Heatmap map{"m", "A <title>", Scale::kRecall, {"4K", "8K"}, {"0–50", "50–100"}, {}};
  map.cells = {{{0.25, 4}, {1.0, 4}}, {{0.0, 4}, {}}};
  const std::string svg = heatmap_svg(map, SvgUse::kFile);
  EXPECT_THAT(svg, HasSubstr("role=\"img\" aria-label=\"A &lt;title&gt;\""));
  EXPECT_THAT(svg, HasSubstr("<title>depth 0–50 %, length 4K: 25 % (n = 4)</title>"));
  EXPECT_THAT(svg, HasSubstr("<title>depth 50–100 %, length 8K: not measured</title>"));
  EXPECT_EQ(occurrences(svg, "class=\"value\""), 3U);
  EXPECT_EQ(occurrences(svg, "<rect class=\"gap\""), 2U);  // one in the cell, one in the legend
  EXPECT_THAT(heatmap_svg(map, SvgUse::kInline), Not(HasSubstr("<style>")));
}

TEST(Heatmap, AValueDoesNotHideItsN) {
  Heatmap map{"m", "", Scale::kDifference, {"4K"}, {"0–100"}, {{{-1.0, 4}}}};
  const std::string svg = heatmap_svg(map, SvgUse::kInline);
  std::smatch value, n;
  ASSERT_TRUE(
      std::regex_search(svg, value, std::regex(R"re(class="value" x="([0-9.]+)".*>−100<)re")));
  ASSERT_TRUE(std::regex_search(svg, n, std::regex(R"re(class="n" x="([0-9.]+)")re")));
  constexpr double kHalfOfValue = 13, kWidthOfN = 4;  // in DejaVu Sans, the widest of the fonts
  EXPECT_LE(std::stod(value[1]) + kHalfOfValue, std::stod(n[1]) - kWidthOfN);
}

TEST(Heatmap, ItsTableHasEveryNumberWithItsN) {
  Heatmap map;
  map.title = "S1: recall of base";
  map.columns = {"4K", "8K"};
  map.rows = {"0–50", "50–100"};
  map.cells = {{{0.75, 8}, {}}, {{1.0, 4}, {0.0, 2}}};
  const Table table = heatmap_table(map);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"0–50", "75 (8)", "–"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"50–100", "100 (4)", "0 (2)"}));
}

TEST(Heatmap, DifferencesAreOfPairedSamples) {
  const RunInfo info = synthetic_info();
  Collector collector(info);
  for (std::int64_t i = 0; i < 4; ++i) {
    collector.add(synthetic_record("f-base", "s1", 4096, i));
    const Record sft = synthetic_record("f-sft", "s1", 4096, i);
    collector.add(i == 0 ? unmeasured(sft) : i == 1 ? missed(sft) : sft);
  }
  const Results results = std::move(collector).finish();
  const Heatmap map = difference_heatmap(results, info.variants[0], info.variants[1], "s1");
  EXPECT_EQ(map.cells[0][0].n, 3);
  EXPECT_DOUBLE_EQ(*map.cells[0][0].value, -1.0 / 3);
  EXPECT_FALSE(map.cells[1][0].value);
}

/// Limits the address space and draws a picture. Exits with 0 if that throws an error for lack of
/// memory.
[[noreturn]] void draw_with_room_of(std::uint64_t bytes) {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit tight{limit, limit};
  ::setrlimit(RLIMIT_AS, &tight);
  try {
    png_of_svg(R"(<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900">
                  <text x="9" y="99">recall</text></svg>)",
               2);
  } catch (const DataError& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(0);
  }
  std::_Exit(1);
}

TEST(PngDeathTest, WithoutMemoryIsRefusedInWords) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(draw_with_room_of(4 << 20), testing::ExitedWithCode(0), "out of memory");
}

TEST(LineChart, AGapInterruptsTheLine) {
  const RunInfo info = synthetic_info();
  Collector collector(info);
  for (const std::int64_t length : {4096, 8192, 32768, 65536})
    collector.add(synthetic_record("f-base", "s1", length, 0));
  const std::string svg = recall_chart_svg(std::move(collector).finish(), "s1");
  EXPECT_EQ(occurrences(svg, "class=\"line\""), 2U);
  EXPECT_EQ(occurrences(svg, "class=\"mark\""), 4U);
}

TEST(LineChart, NoLineHidesAnother) {
  const RunInfo info = synthetic_info();
  Collector collector(info);
  for (const char* variant : {"f-base", "f-sft", "f-qk"})
    for (const std::int64_t length : {4096, 8192})
      collector.add(synthetic_record(variant, "s1", length, 0));
  const std::string svg = recall_chart_svg(std::move(collector).finish(), "s1");
  const auto different = [&](const char* pattern) {
    const std::regex regex(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator at(svg.begin(), svg.end(), regex), end; at != end; ++at)
      found.insert((*at)[1]);
    return found.size();
  };
  EXPECT_EQ(different("class=\"line\" d=\"([^\"]+)"), 3U) << "all are at 100 %";
  EXPECT_EQ(different("class=\"mark\" d=\"M[0-9. ]+([^\"]+)"), 3U) << "of different shapes";
  EXPECT_THAT(svg, AllOf(HasSubstr("series c1 dashed"), HasSubstr("series c2 dotted")));
}

TEST(Ticks, AreRoundAndReachTheMost) {
  EXPECT_EQ(round_ticks(62.9, 4), (std::vector<double>{0, 20, 40, 60, 80}));
  EXPECT_EQ(round_ticks(60, 3), (std::vector<double>{0, 20, 40, 60}));
  EXPECT_EQ(round_ticks(1, 4), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(round_ticks(11, 10), (std::vector<double>{0, 2, 4, 6, 8, 10, 12}));
  const std::vector<double> tiny = round_ticks(0.03, 3);
  ASSERT_EQ(tiny.size(), 4U);
  EXPECT_NEAR(tiny.back(), 0.03, 1e-12);
}

}  // namespace
}  // namespace niah::reports
