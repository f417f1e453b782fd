#include "tasks/haystack/punkt.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "tasks/unicode.h"
#include "tests/growth.h"
#include "tests/tasks/support.h"

namespace niah::tasks {
namespace {

using nlohmann::json;

std::vector<std::string> split(std::string_view text) {
  const auto sentences = split_sentences(text);
  return {sentences.begin(), sentences.end()};
}

void expect_same_sentences(const std::filesystem::path& file) {
  std::size_t cases = 0;
  for (const auto& row : test::read_jsonl(file)) {
    if (!row.contains("text")) continue;
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(split(text), row["sentences"].get<std::vector<std::string>>()) << json(text).dump();
    ++cases;
  }
  EXPECT_GT(cases, 100u);
}

TEST(Punkt, SplitsAsNltk) { expect_same_sentences(test::data_file("punkt_cases.jsonl")); }

TEST(Punkt, SplitsTheKingJamesVersionAsNltk) {
  std::shared_ptr<const Haystack> kjv;
  try {
    kjv = open_haystack({});
  } catch (const DataError& error) {
    NIAH_CANNOT_RUN(error.what());
  }
  const auto recorded = test::read_jsonl(test::data_file("punkt_cases.jsonl")).front();
  ASSERT_EQ(kjv->size(), recorded["sentences"].get<std::int64_t>());
  Sha256 digest;
  for (std::int64_t i = 0; i < kjv->size(); ++i) {
    if (i > 0) digest.update("\n");
    digest.update(kjv->sentence(i));
  }
  EXPECT_EQ(digest.hex(), recorded["sha256"].get<std::string>());
}

TEST(Punkt, EqualsTheFullRecording) {
  NIAH_NEEDS_GOLDENS();
  expect_same_sentences(*golden_folder() / "protocol" / "punkt_cases.jsonl");
}

std::string read_corpus(const std::filesystem::path& golden, bool spaced) {
  const auto essays =
      open_haystack({.kind = HaystackKind::kEssays, .path = golden / "protocol" / "essays"});
  return collapse_white_space(fmt::format("{}", fmt::join(essays->documents(), spaced ? " " : "")));
}

TEST(Punkt, SplitsWholeCorporaAsNltk) {
  NIAH_NEEDS_GOLDENS();
  const auto golden = golden_folder();
  int corpora = 0;
  for (const auto& row : test::read_jsonl(*golden / "protocol" / "punkt_cases.jsonl")) {
    if (!row.contains("spans")) continue;
    const std::string text = read_corpus(*golden, row["essay"] == "lm_eval");
    const auto stripped = strip(text);
    const auto sentences = split_sentences(stripped);
    const auto& spans = row["spans"];
    ASSERT_EQ(sentences.size(), spans.size());
    std::size_t byte = 0;
    std::size_t point = 0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      const auto begin = static_cast<std::size_t>(sentences[i].data() - stripped.data());
      point += count_code_points(stripped.substr(byte, begin - byte));
      const std::size_t end = point + count_code_points(sentences[i]);
      ASSERT_EQ(spans[i], json({point, end})) << "sentence " << i;
      byte = begin;
    }
    ++corpora;
  }
  EXPECT_EQ(corpora, 2);
}

TEST(Punkt, SentencesAreThePartsOfAnyText) {
  const bool holds =
      rc::check("sentences stand in order, apart from white space nothing is lost", [] {
        const auto pieces =
            *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                "a", "B", "mr.", ".", "?", "!", " ", "  ", "\n", ")", "\"", "--", "5.", "...",
                "\u201d", "\u00a0", "é", "\xFF", ","));
        std::string text;
        for (const auto& piece : pieces) text += piece;
        std::string joined;
        const char* end = text.data();
        for (const auto sentence : split_sentences(text)) {
          RC_ASSERT(!sentence.empty());
          RC_ASSERT(sentence.data() >= end);
          end = sentence.data() + sentence.size();
          joined += sentence;
        }
        const auto without_space = [](std::string_view from) {
          std::string out;
          for (const char c : collapse_white_space(from)) {
            if (c != ' ') out += c;
          }
          return out;
        };
        RC_ASSERT(without_space(joined) == without_space(text));
      });
  EXPECT_TRUE(holds);
}

TEST(PunktLong, TakesTimeInProportionOnHostileText) {
  for (const std::string_view piece : {"a.)", ". ", "? ! ", ". . ", "--", "a.b.", ")", "'\""}) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    EXPECT_LT(growth_times_four(text.size() / 4,
                                [&](std::size_t size) {
                                  split_sentences(std::string_view(text).substr(0, size));
                                }),
              kMostLinearGrowth)
        << piece;
  }
}

}  // namespace
}  // namespace niah::tasks
