#include "harness/run/runner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/run/probe.h"

namespace niah {
namespace {

TEST(KeepOutput, OfALongThoughtIsALineThatJournalsTake) {
  reports::Record record;
  keep_output(record, std::string(1U << 20U, 'x'), std::vector<std::int64_t>(100'000, 151'000));
  EXPECT_LT(nlohmann::json(record).dump().size(), 8192U);
  keep_output(record, "short", {1, 2, 3});
  EXPECT_EQ(record.text, "short");
  EXPECT_EQ(record.ids, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST(Shard, IsReadAndRefused) {
  EXPECT_EQ(parse_shard("2/4"), (std::pair<std::int64_t, std::int64_t>{2, 4}));
  for (const char* bad : {"", "2", "0/4", "5/4", "2/", "/4", "a/b", "1/2/3", "1/9999999999"})
    EXPECT_THROW(parse_shard(bad), UsageError) << bad;
}

}  // namespace
}  // namespace niah
