#include "harness/run/runner.h"

#include <gtest/gtest.h>

#include "harness/base/error.h"

namespace niah {
namespace {

TEST(Shard, IsReadAndRefused) {
  EXPECT_EQ(parse_shard("2/4"), (ShardChoice{2, 4}));
  for (const char* bad : {"", "2", "0/4", "5/4", "2/", "/4", "a/b", "1/2/3", "1/9999999999"})
    EXPECT_THROW(parse_shard(bad), UsageError) << bad;
}

}  // namespace
}  // namespace niah
