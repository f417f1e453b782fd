#include "harness/base/utf8.h"

#include <gtest/gtest.h>

#include "harness/base/code_points.h"

namespace niah {
namespace {

TEST(Utf8, FindsTheFirstInvalidByte) {
  const auto none = std::string_view::npos;
  EXPECT_EQ(find_invalid_utf8(""), none);
  EXPECT_EQ(find_invalid_utf8("plain ASCII text, longer than eight bytes"), none);
  EXPECT_EQ(find_invalid_utf8("é中😀\u0000x"), none);
  EXPECT_EQ(find_invalid_utf8("abcdefghij\xFF"), 10u);
  EXPECT_EQ(find_invalid_utf8("a\x80"), 1u);
  EXPECT_EQ(find_invalid_utf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xE0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(find_invalid_utf8("x\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("é\xE4\xB8"), 2u);         // cut off
  EXPECT_EQ(find_invalid_utf8("\xF0\x9F\x98"), 0u);
}

// Expected values: bytes.decode("utf-8", "replace") of CPython 3.11.
TEST(Utf8, ReplacesMaximalSubparts) {
  EXPECT_EQ(replace_invalid_utf8("fine é"), "fine é");
  EXPECT_EQ(replace_invalid_utf8("a\xE4\xB8z"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x80\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xC3\xC3\xA9"), "\uFFFDé");
}

TEST(Utf8, WalksBothWays) {
  for (const char32_t point : {U'a', U'é', U'中', U'\U0001F600', U'\U0010FFFF'}) {
    std::string text = "x";
    append_utf8(text, point);
    EXPECT_EQ(find_invalid_utf8(text), std::string_view::npos);
    EXPECT_EQ(decode_at(text, 1).value, point);
    EXPECT_EQ(decode_before(text, text.size()).value, point);
    EXPECT_EQ(decode_at(text, 1).size, text.size() - 1);
  }
}

TEST(Utf8, MalformedBytesReadAsReplacement) {
  EXPECT_EQ(code_point_at("\xFF", 0).value, U'\uFFFD');
  EXPECT_EQ(code_point_at("\xE2\x80", 0).size, 1u);
  EXPECT_EQ(code_point_at("a€", 1).value, U'€');
  EXPECT_EQ(code_point_at("a€", 1).size, 3u);
}

TEST(CodePoints, WhiteSpaceIsUnicodes) {
  for (const char32_t c : {U'\t', U'\r', U' ', U'\u0085', U'\u00A0', U'\u2028', U'\u3000'})
    EXPECT_TRUE(is_white_space(c)) << static_cast<unsigned>(c);
  for (const char32_t c : {U'\b', U'\x0E', U'\x1C', U'\u0084', U'\u180E', U'\u200B', U'\uFEFF'})
    EXPECT_FALSE(is_white_space(c)) << static_cast<unsigned>(c);
  EXPECT_TRUE(is_ascii_white_space('\v'));
  EXPECT_FALSE(is_ascii_white_space('\x85'));
}

}  // namespace
}  // namespace niah
