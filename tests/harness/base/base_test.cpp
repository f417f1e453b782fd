#include <gtest/gtest.h>

#include <limits>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/listed.h"
#include "harness/base/numbers.h"
#include "harness/base/progress.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "tests/machine.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

TEST(Listed, JoinsNamesAsASentenceDoes) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}), "a");
  EXPECT_EQ(listed({"a", "b"}), "a and b");
  EXPECT_EQ(listed({"a", "b", "c"}), "a, b and c");
}

TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().update("a").update("bc").hex(), sha256_hex("abc"));
}

TEST(Units, LengthsReadAndWrite) {
  EXPECT_EQ(parse_length("4K"), 4096);
  EXPECT_EQ(parse_length("256k"), 262144);
  EXPECT_EQ(parse_length("1M"), 1048576);
  for (const char* bad :
       {"", "K", "-4K", "04", "4.5K", "4 K", "0", "9999999999999", "4KK", "1025M", "2000000000"})
    EXPECT_EQ(parse_length(bad), std::nullopt) << bad;
  for (const std::int64_t length : {1, 1000, 1024, 4096, 6000, 262144, 1048576})
    EXPECT_EQ(parse_length(format_length(length)), length);
  EXPECT_EQ(format_bytes(7516192768.0), "7.0 GiB");
  EXPECT_EQ(format_count(1926138880), "1,926,138,880");
  EXPECT_EQ(format_count(-12), "-12");
  EXPECT_EQ(format_count(-123456), "-123,456");
  EXPECT_EQ(format_count(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(format_duration(59.7), "1 min 00 s");
}

TEST(Numbers, TheWholeTextIsOneIntegerOfTheRange) {
  EXPECT_EQ(parse_integer("42"), 42);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* bad : {"", "-", "+1", " 1", "1 ", "01", "1.0", "1e3", "0x10",
                          "9223372036854775808", "18446744073709551616", "1a", "--1"})
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  EXPECT_EQ(parse_integer("0", {1, 5}), std::nullopt);
  EXPECT_EQ(parse_integer("5", {1, 5}), 5);
  EXPECT_EQ(range_text(kSampleCount), "an integer from 1 to 1,000,000");
  EXPECT_EQ(range_text(kNotNegative), "an integer of at least 0");
}

TEST(Numbers, WhereAnIntegerEndsIsSaidOfOneBeyondIt) {
  for (const char* large : {"9223372036854775808", "99999999999999999999999"})
    EXPECT_EQ(range_text(kNotNegative, large), "an integer from 0 to 9,223,372,036,854,775,807");
  for (const char* other : {"-1", "", "x", "1e30", "9223372036854775808x"})
    EXPECT_EQ(range_text(kNotNegative, other), "an integer of at least 0") << other;
  EXPECT_EQ(range_text(kSampleCount, "99999999999999999999"), "an integer from 1 to 1,000,000");
}

TEST(Numbers, TheWholeTextIsOneFiniteNumberOfTheRange) {
  EXPECT_EQ(parse_number("1e-4"), 1e-4);
  EXPECT_EQ(parse_number("-0.5"), -0.5);
  for (const char* bad : {"", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", " 1", "1s"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  EXPECT_EQ(parse_number("1", {.low = 0, .high = 1, .open_high = true}), std::nullopt);
  EXPECT_EQ(range_text(NumberRange{.low = 0, .high = 1, .open_high = true}),
            "a number from 0 to below 1");
  EXPECT_EQ(range_text(NumberRange{.low = 0, .open_low = true}), "a number above 0");
}

TEST(Text, RepairsUtf8AndEscapes) {
  EXPECT_EQ(valid_utf8("a\xC3\xA9z"), "a\xC3\xA9z");
  EXPECT_EQ(valid_utf8("a\xC3"), "a\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(count_code_points("a\xC3\xA9\xE2\x82\xAC"), 3U);
  EXPECT_EQ(escape_html("<b a='\"'>&\x01"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\xEF\xBF\xBD");
  EXPECT_EQ(did_you_mean("sampels", {"samples", "seed"}), ", did you mean 'samples'?");
  EXPECT_EQ(did_you_mean("zzzzzz", {"samples", "seed"}), "");
}

TEST(Text, IsWrappedAtSpaces) {
  EXPECT_EQ(wrap("one two three", 7, "  "), "one two\n  three");
  EXPECT_EQ(wrap("− − −", 3, ""), "− −\n−");
  EXPECT_EQ(wrap("one two", 7, "", 1), "one\ntwo");
}

TEST(Text, LinesAreFittedWithoutBreakingWordsOrCommands) {
  EXPECT_EQ(fit_lines("warning: one two three\nshort\n", 16), "warning: one two\n  three\nshort\n");
  EXPECT_EQ(fit_lines("  --out DIR   Where the run goes", 28),
            "  --out DIR   Where the run\n              goes");
  EXPECT_EQ(fit_lines("    niah show RUN 's3@8K#36'\n", 12), "    niah show RUN 's3@8K#36'\n");
}

TEST(Text, ASingleLineShowsWhatWouldBreakIt) {
  EXPECT_EQ(single_line("a\nb\tc\x1b[1m\xFFé"), "a\\nb\\tc\\x1b[1m\xEF\xBF\xBDé");
  EXPECT_EQ(single_line("\u009b1m\u00a0\u0085"), "\\x9b1m\u00a0\\x85") << "C1 controls";
}

TEST(Files, WriteFileReplacesWholeAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file(path, "one");
  write_file(path, "two");
  EXPECT_EQ(read_file(path, "test"), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_THROW(write_file(folder.path() / "no" / "b.txt", "x"), DataError);
}

TEST(Files, UnwritableFoldersAreRefusedAtOnce) {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "x");
  EXPECT_THROW(ensure_writable_folder(folder.path() / "file"), DataError);
  EXPECT_THROW(ensure_writable_folder(folder.path() / "file" / "sub"), DataError);
  EXPECT_THROW(ensure_writable_folder("/proc/niah"), DataError);
  ensure_writable_folder(folder.path() / "a" / "b");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "a" / "b"));
}

TEST(Files, CopiesAllButWhatIsLeftOutAcrossFileSystemsToo) {
  const TemporaryFolder folder;
  const auto from = folder.path() / "from";
  std::string content(3'000'000, 'x');
  write_file(from, content);
  for (const std::size_t at : {0U, 1000U, 1001U, 2'999'999U}) content[at] = '\0';
  for (const std::filesystem::path& to :
       {folder.path() / "to", std::filesystem::path("/dev/shm") / folder.path().filename()}) {
    if (!std::filesystem::is_directory(to.parent_path()))
      NIAH_CANNOT_RUN("no second file system: " << to.parent_path());
    create_file(to, content.size());
    EXPECT_THROW(create_file(to, 1), DataError) << "never over a file";
    int pauses = 0;
    copy_bytes(from, to, {{0, 1}, {1000, 2}, {2'999'999, 1}}, [&] { ++pauses; });
    EXPECT_EQ(read_file(to, "test"), content);
    EXPECT_GE(pauses, 2) << "once a stretch that is not empty";
    std::filesystem::remove(to);
  }
  EXPECT_THROW(copy_bytes(folder.path() / "missing", from, {}, [] {}), DataError);
  EXPECT_THROW(copy_bytes(from, folder.path() / "missing", {}, [] {}), DataError);
}

TEST(Files, MappingSaysWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_THROW(MappedFile(folder.path() / "none"), DataError);
  EXPECT_THROW(MappedFile{folder.path()}, DataError);
  write_file(folder.path() / "empty", "");
  EXPECT_EQ(MappedFile(folder.path() / "empty").size(), 0U);
  write_file(folder.path() / "full", "abc");
  EXPECT_EQ(MappedFile(folder.path() / "full").view(), "abc");
}

TEST(Text, CodePointsBeginWhereTheyDo) {
  const std::string text = "aé漢z";
  const std::vector<std::size_t> begins = {0, 1, 3, 6, text.size(), text.size()};
  for (std::size_t i = 0; i < begins.size(); ++i)
    EXPECT_EQ(byte_of_code_point(text, static_cast<std::int64_t>(i)), begins[i]);
  EXPECT_EQ(byte_of_code_point("", 0), 0U);
}

}  // namespace
}  // namespace niah
