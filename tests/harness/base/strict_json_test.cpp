#include "harness/base/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  return refusal_of<JsonError>([&] { parse_strict_json(text); });
}

TEST(StrictJson, ReadsWhatAPlainParserReads) {
  for (const char* text :
       {"null", "true", "-3", "18446744073709551615", "1.5e-7", R"("a\u00e9\n")", "[]", "{}",
        R"([1,[2,{"a":[{"b":null}]}],{}])", R"({"a":{"b":1,"c":[1,2]},"b":[],"d":{"a":1}})"})
    EXPECT_EQ(parse_strict_json(text), json::parse(text)) << text;
}

TEST(StrictJson, AKeyTwiceIsNamedWhereverItIs) {
  EXPECT_THAT(refusal(R"({"a":1,"b":2,"a":1})"), HasSubstr("'a' is there twice"));
  EXPECT_THAT(refusal(R"([{"x":{"in":1,"in":2}}])"), HasSubstr("'in' is there twice"));
  EXPECT_EQ(refusal(R"([{"a":1},{"a":1}])"), "accepted");
}

TEST(StrictJson, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(refusal(nested(100)), "accepted");
  EXPECT_THAT(refusal(nested(100'000)), HasSubstr("nested more than"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_THAT(refusal(objects), HasSubstr("nested more than"));
}

TEST(StrictJson, WhatIsNoJsonHasItsPlace) {
  for (const char* text : {"", "{", "[1,]", "nul", "{\"a\":1} x", "\"\xff\"", "1e999"})
    EXPECT_THROW(parse_strict_json(text), JsonError) << text;
  try {
    parse_strict_json("{\"a\": oops}");
    FAIL();
  } catch (const JsonError& error) {
    EXPECT_EQ(error.byte(), 7U);
  }
}

TEST(StrictJson, MembersComeOneByOne) {
  std::vector<std::string> names;
  json all = json::object();
  const std::string text = R"({"z":{"a":[1,2]},"b":3,"a":null,"c":[{"z":1}]})";
  parse_json_members(text, [&](const std::string& key, json value) {
    names.push_back(key);
    all[key] = std::move(value);
  });
  EXPECT_EQ(all, json::parse(text));
  EXPECT_THAT(names, testing::ElementsAre("z", "b", "a", "c"));
  const auto ignore = [](const std::string&, const json&) {};
  EXPECT_THROW(parse_json_members("[1]", ignore), JsonError);
  EXPECT_THROW(parse_json_members(R"({"a":1,"a":2})", ignore), JsonError);
}

TEST(LfsPointer, IsCalledByItsName) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4932712\n";
  try {
    refuse_lfs_pointer(pointer, "m/model.safetensors", "reading the weights");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(HasSubstr("m/model.safetensors"), HasSubstr("Git LFS pointer"),
                               HasSubstr("4932712 bytes"), HasSubstr("git lfs pull")));
  }
  refuse_lfs_pointer("{}", "config.json", "reading");
}

}  // namespace
}  // namespace niah
