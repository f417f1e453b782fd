#include "models/surgery/restore_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/error.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

TEST(RestoreOptions, NamesOfMethods) {
  for (const char* name : {"qk", "qk-pro", "qk-pro-exact", "q", "k", "v", "parts"})
    EXPECT_EQ(restore_method_name(parse_restore_method(name)), name);
  EXPECT_THROW(parse_restore_method("kq"), UsageError);
}

TEST(RestoreOptions, NamesOfParts) {
  RestoreOptions options{.method = RestoreMethod::kParts};
  for (const std::string& name : weight_part_names()) {
    EXPECT_EQ(weight_part_name(parse_weight_part(name)), name);
    options.parts.insert(parse_weight_part(name));
  }
  EXPECT_EQ(options.parts.size(), 12U);
  EXPECT_THAT(refusal_of<UsageError>([] { parse_weight_part("mpl"); }),
              testing::HasSubstr("'mpl' is not a part of the weights (q, k, v"));
  options.parts = {WeightPart::kMlp, WeightPart::kQuery};
  EXPECT_EQ(parts_in_words(options), "parts q, mlp");
  options.complement = true;
  EXPECT_EQ(parts_in_words(options), "all but q, mlp");
}

TEST(RestoreOptions, LayersAreListsAndRanges) {
  EXPECT_EQ(parse_layers("2,5-8"), (std::vector<std::int64_t>{2, 5, 6, 7, 8}));
  for (const char* bad : {"", "x", "3-1", "1,", "-2", "1-99999999999"})
    EXPECT_THROW(parse_layers(bad), UsageError) << bad;
}

TEST(RestoreOptions, LayersAreBoundedHoweverManyRangesNameThem) {
  std::string text = "0-9999";
  for (int i = 0; i < 10000; ++i) text += ",0-9999";
  EXPECT_EQ(parse_layers(text).size(), 10000U);
  EXPECT_THAT(
      refusal_of<UsageError>([] { parse_layers("0-99999999999"); }),
      testing::HasSubstr("layers '0-99999999999': a list such as 2,5-8 of numbers from 0 to "
                         "9999 was expected"));
  EXPECT_LT(refusal_of<UsageError>([&] { parse_layers(text + "x"); }).size(), 300U);
}

}  // namespace
}  // namespace niah::models
