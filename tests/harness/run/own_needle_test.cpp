// Needles of a config, in German and in Chinese, asked of an engine that reads its prompt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/plan/plan.h"
#include "tests/harness/run/fake_run.h"

namespace niah {
namespace {

constexpr const char* kGerman =
    "Am Morgen zog der Nebel über die Felder. Die Bäuerin öffnete das Tor und rief nach dem Hund. "
    "„Wo bist du?“, fragte sie. Niemand gab Antwort! Erst gegen Mittag kam er zurück, nass und "
    "müde. Der Müller wusste, z. B., dass der Bach wieder Wasser führte. So verging der Tag. Am "
    "Abend saßen alle vor dem Haus und hörten den Grillen zu.\n";
constexpr const char* kChinese =
    "清晨，雾气笼罩着田野。农妇打开院门，呼唤着她的狗。“你在哪里？”她问道。没有人回答！直到中午，它"
    "才"
    "回来，又湿又累。磨坊主知道，小溪里又有水了。一天就这样过去了。傍晚，大家坐在屋前，听着蟋蟀的叫"
    "声。\n";

/// A language's needle, and the words between which it stands.
struct Language {
  std::string config;  ///< the section `needle`
  std::string text;    ///< what the haystack is made of
  std::string tag;
  std::string before_key, after_key;  ///< in the question
  std::string needle_start, needle_middle, needle_end;
};

const Language& german() {
  static const Language language{
      "{text: 'Das Losungswort von {key} heißt {value}.', question: 'Wie heißt das Losungswort von "
      "{key}?', answer: 'Das Losungswort von {key} heißt', keys: [Anna, Jürgen, Zoë, Dörte], "
      "values: [Amboss, Übermut, Straßenbahn, Größenwahn, Kranich], distractors: 2}",
      kGerman,
      "de",
      "Wie heißt das Losungswort von ",
      "?",
      "Das Losungswort von ",
      " heißt ",
      "."};
  return language;
}

const Language& chinese() {
  static const Language language{
      "{text: '{key}的暗号是{value}。', question: '{key}的暗号是什么？', answer: '{key}的暗号是', "
      "keys: [小明, 小红, 李雷, 韩梅梅], values: [铁砧, 电车, 仙鹤, 火山, 琥珀], distractors: 2}",
      kChinese,
      "zh",
      "\n",
      "的暗号是什么？",
      "",
      "的暗号是",
      "。"};
  return language;
}

std::string between(const std::string& text, std::size_t from, const std::string& end) {
  return text.substr(from, text.find(end, from) - from);
}

/// Reads the prompt as a reader of that language would: what is asked for, where the text says it,
/// and what it says. Knows nothing of what is expected.
Script reader_of(const Language& language) {
  return [language](const Asked& asked) {
    const std::string prompt = asked.request.text();
    const std::size_t end = prompt.rfind(language.after_key);
    const std::size_t begin = prompt.rfind(language.before_key, end) + language.before_key.size();
    const std::string key = prompt.substr(begin, end - begin);
    const std::string start = language.needle_start + key + language.needle_middle;
    const std::size_t needle = prompt.find(start);
    if (needle == std::string::npos || needle > begin) return wrong(asked);
    return Answer{.id = asked.id,
                  .text = " " + between(prompt, needle + start.size(), language.needle_end)};
  };
}

class OwnNeedles : public FakeRun {
 protected:
  /// Asks the needle at five depths and two lengths.
  SweepConfig asked_in(const Language& language) const {
    const auto path = texts_.write(language.tag + ".txt", language.text);
    return sweep({{"tasks", "[own]"},
                  {"lengths", "[2K, 4K]"},
                  {"depths", "{count: 5}"},
                  {"samples", "20"},
                  {"needle", language.config},
                  {"haystack", "{kind: text, repeat: true, path: " + path.string() +
                                   ", language: " + language.tag + "}"}});
  }

  /// Every sample is found at its depth.
  void expect_all_found() const {
    std::multiset<double> depths;
    std::set<std::string> values;
    const auto all = records();
    EXPECT_EQ(all.size(), 80U) << "20 samples, 2 lengths, 2 variants";
    for (const reports::Record& record : all) {
      EXPECT_EQ(record.score, 1) << record.text;
      EXPECT_EQ(record.miss, "hit");
      EXPECT_EQ(record.task, "own");
      EXPECT_NEAR(record.real_depth, record.depth, 8) << "to within a sentence";
      EXPECT_GT(record.real_length, 0.9 * static_cast<double>(record.length));
      depths.insert(record.depth);
      values.insert(record.expected.front());
    }
    for (const double depth : {0, 25, 50, 75, 100}) EXPECT_EQ(depths.count(depth), 16U);
    EXPECT_EQ(values.size(), 5U) << "all of the list";
  }

 private:
  TemporaryFolder texts_;
};

TEST_F(OwnNeedles, AreFoundInGermanByWhoReads) {
  run({one_engine(reader_of(german()))}, asked_in(german()));
  expect_all_found();
}

TEST_F(OwnNeedles, AreFoundInChineseByWhoReads) {
  run({one_engine(reader_of(chinese()))}, asked_in(chinese()));
  expect_all_found();
}

TEST_F(OwnNeedles, AreMissedByWhoTakesTheFirstOne) {
  const Script first = [](const Asked& asked) {
    const std::string prompt = asked.request.text();
    const std::string middle = german().needle_middle;
    const std::size_t at = prompt.find(middle) + middle.size();
    return Answer{.id = asked.id, .text = " " + between(prompt, at, ".")};
  };
  run({one_engine(first)}, asked_in(german()));
  int hits = 0;
  for (const reports::Record& record : records()) hits += record.score == 1 ? 1 : 0;
  EXPECT_GT(hits, 0);
  EXPECT_LT(hits, 60) << "distractors come first in many";
}

TEST_F(OwnNeedles, OfOtherWordsAreAnotherRun) {
  SweepConfig sweep = asked_in(german());
  run({one_engine()}, sweep);
  sweep.needles.front().question += "!";
  EXPECT_THROW(run({one_engine()}, sweep), UsageError);
  EXPECT_THAT(read_plan(out()).haystack, testing::HasSubstr(", needle own "));
}

}  // namespace
}  // namespace niah
