#include "harness/config/yaml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "harness/base/error.h"
#include "tests/refusal.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;

YamlMap parse(const std::string& text) { return YamlMap::parse(text, "c.yaml"); }

template <typename Read>
std::string refusal(const std::string& text, Read read) {
  return refusal_of<UsageError>([&] {
    YamlMap map = parse(text);
    read(map);
    map.finish();
  });
}

TEST(Yaml, EachScalarHasOneMeaning) {
  const auto integer = [](YamlMap& map) { map.integer("x"); };
  const auto number = [](YamlMap& map) { map.number("x"); };
  const auto boolean = [](YamlMap& map) { map.boolean("x", false); };
  const auto lengths = [](YamlMap& map) { map.lengths("x"); };
  EXPECT_EQ(refusal("x: 12", integer), "accepted");
  EXPECT_EQ(refusal("x: -3", integer), "accepted");
  EXPECT_THAT(refusal("x: 08", integer), HasSubstr("c.yaml:1:4: x: expected an integer, got '08'"));
  EXPECT_THAT(refusal("x: 0x10", integer), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal("x: 1e3", integer), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal("x: many", integer), HasSubstr("got 'many'"));
  EXPECT_THAT(refusal("x: [1]", integer), HasSubstr("got a list"));
  EXPECT_EQ(refusal("x: 1e-4", number), "accepted");
  EXPECT_THAT(refusal("x: nan", number), HasSubstr("expected a number"));
  EXPECT_THAT(refusal("x: 1.5s", number), HasSubstr("expected a number"));
  EXPECT_EQ(refusal("x: true", boolean), "accepted");
  for (const char* word : {"yes", "no", "on", "True", "1"})
    EXPECT_THAT(refusal(std::string("x: ") + word, boolean), HasSubstr("expected true or false"))
        << word;
  EXPECT_EQ(refusal("x: [4K, 256k, 1M, 4096]", lengths), "accepted");
  EXPECT_THAT(refusal("x: 4G", lengths), HasSubstr("expected a length"));
  EXPECT_THAT(refusal("x: 0", lengths), HasSubstr("expected a length"));
}

TEST(Yaml, LengthsAreTokens) {
  YamlMap map = parse("x: [4K, 256k, 6000]");
  EXPECT_EQ(map.lengths("x"), (std::vector<std::int64_t>{4096, 262144, 6000}));
}

TEST(Yaml, UnknownKeysAreErrorsWithPlaceAndNearestName) {
  const auto read = [](YamlMap& map) {
    map.integer("samples", 1);
    auto inner = map.map("runtime");
    inner.text("dtype", "auto");
    inner.finish();
  };
  EXPECT_EQ(refusal("samples: 2\nruntime: {dtype: fp32}", read), "accepted");
  EXPECT_THAT(
      refusal("sample: 2\nruntime: {dtype: fp32}", read),
      AllOf(HasSubstr("c.yaml:1:1: sample: unknown key"), HasSubstr("did you mean 'samples'")));
  EXPECT_THAT(refusal("samples: 2\nruntime:\n  dtyp: fp32", read),
              AllOf(HasSubstr("c.yaml:3:3: runtime.dtyp"), HasSubstr("did you mean 'dtype'")));
}

TEST(Yaml, DuplicateKeysAreErrorsWithBothPlaces) {
  EXPECT_THAT(refusal("a: 1\nb: 2\na: 3", [](YamlMap&) {}),
              AllOf(HasSubstr("c.yaml:3:1: a"), HasSubstr("already given at c.yaml:1:1")));
}

TEST(Yaml, BrokenYamlAndWrongRootsNameTheirPlace) {
  EXPECT_THAT(refusal("a: [1, 2", [](YamlMap&) {}), HasSubstr("c.yaml:1:4: "));
  EXPECT_EQ(refusal("x: 1\na: [1, 2\nb: 3", [](YamlMap&) {}),
            "c.yaml:2:4: not valid YAML: the list that begins here with [ has no ] (looked for "
            "up to 3:2)");
  EXPECT_THAT(
      refusal("a: [1, {b: 2, c: 3", [](YamlMap&) {}),
      HasSubstr("c.yaml:1:8: not valid YAML: the mapping that begins here with { has no }"));
  EXPECT_THAT(refusal_of<UsageError>([] { parse_yaml_value("[1, 2", "--set a"); }),
              HasSubstr("--set a: the value is not valid YAML: the list that begins here with ["));
  EXPECT_THAT(refusal("- 1", [](YamlMap&) {}), HasSubstr("a mapping (key: value) was expected"));
  EXPECT_THAT(refusal("", [](YamlMap&) {}), HasSubstr("a mapping"));
  EXPECT_THAT(refusal("a:", [](YamlMap& map) { map.text("a"); }), HasSubstr("required"));
  EXPECT_THAT(refusal("a: []", [](YamlMap& map) { map.texts("a"); }), HasSubstr("empty"));
}

TEST(Yaml, NumbersHaveARangeThatIsNamed) {
  const auto count = [](YamlMap& map) { map.integer("x", IntegerRange{1, 1000}); };
  EXPECT_EQ(refusal("x: 1000", count), "accepted");
  for (const char* bad : {"0", "1001", "-1", "9223372036854775808", "18446744073709551617"})
    EXPECT_THAT(refusal(std::string("x: ") + bad, count),
                HasSubstr("c.yaml:1:4: x: expected an integer from 1 to 1,000, got '"))
        << bad;
  const auto share = [](YamlMap& map) { map.number("x", NumberRange{.low = 0, .open_low = true}); };
  EXPECT_EQ(refusal("x: 1e-300", share), "accepted");
  EXPECT_THAT(refusal("x: 0", share), HasSubstr("expected a number above 0, got '0'"));
  EXPECT_THAT(refusal("x: 1e999", share), HasSubstr("got '1e999'"));
}

TEST(Yaml, OneDocumentIsRead) {
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n", [](YamlMap& map) { map.text("a"); }),
              AllOf(HasSubstr("c.yaml:3:1: "), HasSubstr("second document")));
  EXPECT_EQ(refusal("---\na: 1\n---\n", [](YamlMap& map) { map.text("a"); }), "accepted")
      << "nothing is left out";
}

TEST(Yaml, WhatYamlCppNeverEndsWithEnds) {
  // For a comma outside of a list, yaml-cpp produces empty documents without end.
  for (const char* text : {",", ", 1", "a: 1\n---\n,"})
    EXPECT_NE(refusal(text, [](YamlMap& map) { map.text("a"); }), "accepted") << text;
  EXPECT_THROW(parse_yaml_value(", 1", "--set samples"), UsageError);
}

TEST(Yaml, MergeKeysAreRefusedByTheirName) {
  const std::string text = "base: &b {x: 1}\nmodels:\n  - <<: *b\n    name: m\n";
  EXPECT_THAT(refusal(text, [](YamlMap&) {}),
              AllOf(HasSubstr("c.yaml:3:5: models[0].<<"), HasSubstr("merge keys")));
}

TEST(Yaml, DuplicatesAreFoundWhereNothingIsAskedByName) {
  EXPECT_THAT(refusal("override:\n  a: 1\n  a: 2\n", [](YamlMap& map) { map.raw("override"); }),
              HasSubstr("c.yaml:3:3: override.a: this key was already given at c.yaml:2:3"));
}

TEST(Yaml, WhatIsNestedOrRepeatedBeyondUseIsOneLine) {
  const auto nothing = [](YamlMap&) {};
  const std::string deep(100'000, '[');
  for (const std::string& text :
       {"a: " + deep, "a: " + deep + std::string(100'000, ']'), "a: " + std::string(100'000, '{')})
    EXPECT_THAT(refusal(text, nothing), HasSubstr("c.yaml:")) << text.substr(0, 10);
  std::string steps;
  for (std::size_t i = 0; i < 20'000; ++i) steps += std::string(i % 400, ' ') + "- \n";
  refusal("a:\n" + steps, nothing);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(refusal(bomb, nothing), HasSubstr("more than 100,000 values"));
  EXPECT_THAT(refusal("a: &x [*x]\n", nothing), HasSubstr("c.yaml:1:"));
  EXPECT_THROW(parse_yaml_value("&x [*x]", "--set a"), UsageError);
}

TEST(Yaml, BytesThatAreNoTextAreOneLine) {
  const auto read = [](YamlMap& map) { map.text("a"); };
  EXPECT_EQ(refusal("\xEF\xBB\xBF"
                    "a: 1\n",
                    read),
            "accepted")
      << "a byte order mark";
  EXPECT_THAT(refusal(std::string("a: 1\nb: \0 2\n", 12), read),
              HasSubstr("c.yaml:2:4: a NUL byte"));
  EXPECT_THAT(refusal("a: 1\nb: \xFF\n", read), HasSubstr("c.yaml:2:4: these bytes are not UTF-8"));
  EXPECT_THAT(refusal(std::string("\xFF\xFE"
                                  "a\0:\0",
                                  6),
                      read),
              HasSubstr("c.yaml:1:"));
  EXPECT_THAT(refusal("a:\n\tb: 1\n", read), HasSubstr("c.yaml:2:"));
  EXPECT_THAT(refusal(std::string(std::size_t{5} << 20, '#'), read), HasSubstr("at most 4.0 MiB"));
}

TEST(Yaml, SurvivesAnyBytes) {
  const std::string seed =
      "name: x\nlengths: [4K, 8K]\nruntime: {dtype: fp32, threads: 2}\nlist:\n  - a: 1\n";
  std::mt19937 random(1);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = seed;
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits)
      text[random() % text.size()] = static_cast<char>(random());
    try {
      YamlMap map = parse(text);
      map.text("name", "");
      map.lengths("lengths");
      for (YamlMap& one : map.maps("list")) one.integer("a", 1);
      if (auto runtime = map.optional_map("runtime")) {
        runtime->text("dtype", "");
        runtime->integer("threads", 1);
        runtime->finish();
      }
      map.finish();
      ++accepted;
    } catch (const UsageError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace niah
