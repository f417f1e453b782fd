#include "harness/base/shell.h"

#include <gtest/gtest.h>

namespace niah {
namespace {

TEST(Shell, QuotedTextIsOneWord) {
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("a $b \"c\" \\ *"), "'a $b \"c\" \\ *'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace niah
