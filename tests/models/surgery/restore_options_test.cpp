#include "models/surgery/restore_options.h"

#include <gtest/gtest.h>

#include "harness/base/error.h"

namespace niah::models {
namespace {

TEST(RestoreOptions, NamesOfMethods) {
  for (const char* name : {"qk", "qk-pro", "qk-pro-exact", "q", "k", "v"})
    EXPECT_EQ(restore_method_name(parse_restore_method(name)), name);
  EXPECT_THROW(parse_restore_method("kq"), UsageError);
}

TEST(RestoreOptions, LayersAreListsAndRanges) {
  EXPECT_EQ(parse_layers("2,5-8"), (std::vector<std::int64_t>{2, 5, 6, 7, 8}));
  for (const char* bad : {"", "x", "3-1", "1,", "-2", "1-99999999999"})
    EXPECT_THROW(parse_layers(bad), UsageError) << bad;
}

}  // namespace
}  // namespace niah::models
