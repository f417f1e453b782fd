#include "models/tokenizer/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"

namespace niah::models {
namespace {

TEST(Utf8, TheErrorNamesTheByte) {
  try {
    require_utf8("ab\xFFz");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("byte 2 (0xff)"));
  }
}

TEST(Utf8, AMessageStaysOnItsLine) { EXPECT_EQ(message_line("a\nb\x1b\x7F\xFFé"), "a b  \uFFFDé"); }

}  // namespace
}  // namespace niah::models
