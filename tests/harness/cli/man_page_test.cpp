#include "harness/cli/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/harness/cli/tiny_program.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(ManPage, TextIsNoRequestAndIsCopiedAsItWasWritten) {
  EXPECT_EQ(man_text(".TH is text"), "\\&.TH is text\n");
  EXPECT_EQ(man_text("'quoted' `code`"), "\\(aqquoted\\(aq \\(gacode\\(ga\n");
  EXPECT_EQ(man_text("--set a\\b ~ ^"), "\\-\\-set a\\eb \\(ti \\(ha\n");
  EXPECT_EQ(man_text("na\xC3\xAFve \xFF"), "na\\[u00EF]ve \\[uFFFD]\n");
  EXPECT_EQ(man_text(" \n"), "");
}

TEST(ManPage, LinesEndBetweenWords) {
  std::string words;
  for (int i = 0; i < 100; ++i) words += ".word ";
  std::istringstream text(man_text(words));
  int lines = 0;
  for (std::string line; std::getline(text, line); ++lines) {
    EXPECT_LE(line.size(), 80U);
    EXPECT_THAT(line, StartsWith("\\&.word"));
  }
  EXPECT_GT(lines, 7);
}

TEST(ManPage, OfTheProgramNamesItsCommandsEnvironmentFilesAndExitCodes) {
  const std::string page = program_man_page(tiny_program(), "2026-01-31");
  EXPECT_THAT(page, StartsWith(".TH NIAH 1 \"2026-01-31\" \"niah 1.2\" \"User Commands\"\n"
                               ".SH NAME\nniah \\- looks\n"));
  EXPECT_THAT(page, AllOf(HasSubstr("niah looks. It also draws.\n"),
                          HasSubstr(".TP\n\\fBniah\\-draw\\fR(1)\nDraw it:"),
                          HasSubstr("\\fBNIAH_DATA_DIR\\fR"), HasSubstr("\\fB130\\fR\n"),
                          Not(HasSubstr("secret"))));
}

TEST(ManPage, OfACommandHasItsSynopsisOptionsAndExample) {
  const DescribedProgram program = tiny_program();
  const std::string page = command_man_page(program, program.commands.front(), "2026-01-31");
  EXPECT_THAT(page, HasSubstr(".SH SYNOPSIS\n\\fBniah draw\\fR\n\\fB\\-\\-out\\fR \\fIFILE\\fR\n"
                              "[\\fIOPTION\\fR]...\n\\fIruns\\fR...\n"));
  EXPECT_THAT(page,
              HasSubstr(".TP\n\\fB\\-\\-type\\fR \\fI{fp32|bf16}\\fR\nHow (default: fp32)\n"));
  EXPECT_THAT(page, HasSubstr("Change a key (may be given several times)\n"));
  EXPECT_THAT(page, HasSubstr("niah draw a \\e\n  \\-\\-out b\n.RE\n"));
}

}  // namespace
}  // namespace niah
