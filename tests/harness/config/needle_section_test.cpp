#include "harness/config/needle_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/config/demo_sweep.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kNeedle = R"(
needle:
  text: The code of {key} is {value}.
  question: What is the code of {key}?
  answer: The code of {key} is
)";

/// The sweep asks for the needle `own`, with `more` lines of it.
std::string with(const std::string& more) {
  return replaced(kSweep, "[s1, s2]", "[s1, own]") + kNeedle + more;
}

std::string without(const std::string& line, const std::string& instead) {
  return replaced(with(""), line, instead);
}

tasks::OwnNeedle needle(const std::string& more) {
  const SweepConfig sweep = parse(with(more));
  const std::string kept = sweep_to_json(sweep);
  EXPECT_EQ(sweep_to_json(parse_sweep(kept, "plan.json", "/", {})), kept);
  EXPECT_EQ(parse_sweep(kept, "plan.json", "/", {}).needles.front().identity(),
            sweep.needles.front().identity());
  return sweep.needles.front();
}

TEST(NeedleSection, HasDefaultsForAllButItsWords) {
  const tasks::OwnNeedle own = needle("");
  EXPECT_EQ(own.name, "own");
  EXPECT_EQ(own.text, "The code of {key} is {value}.");
  EXPECT_EQ(own.keys.type, tasks::ValueType::kWords);
  EXPECT_EQ(own.values.type, tasks::ValueType::kNumber);
  EXPECT_EQ(own.needles, 1);
  EXPECT_TRUE(own.distractors.empty());
  EXPECT_EQ(sweep_to_json(parse(kSweep)).find("needle"), std::string::npos);
}

TEST(NeedleSection, TakesKeysValuesAndDistractorsInSeveralForms) {
  const TemporaryFolder folder;
  const auto file = folder.write("keys.txt", "Ada\n\n  Bo \r\n小明\n");
  const tasks::OwnNeedle own =
      needle("  keys: {file: " + file.string() +
             "}\n  values: [red, blue, green]\n  needles: 2\n  distractors: 1\n"
             "  intro: Read.\n  separator: ' and '\n");
  EXPECT_THAT(own.keys.list, ElementsAre("Ada", "Bo", "小明"));
  EXPECT_THAT(own.values.list, ElementsAre("red", "blue", "green"));
  EXPECT_EQ(own.needles, 2);
  EXPECT_THAT(own.distractors, ElementsAre(own.text));
  EXPECT_EQ(own.separator, " and ");
  EXPECT_EQ(needle("  values: uuid\n  keys: number\n").values.type, tasks::ValueType::kUuid);
  EXPECT_THAT(
      needle("  distractors: [Nobody knows., 'The code of {key} was {value}.']\n").distractors,
      ElementsAre("Nobody knows.", "The code of {key} was {value}."));
}

TEST(NeedleSection, MayBeAListWithNames) {
  const SweepConfig sweep =
      parse(replaced(kSweep, "[s1, s2]", "[de, zh]") +
            "needle:\n  - {name: de, text: '{key} ist {value}.', question: '{key}?', answer: "
            "'{key} ist'}\n"
            "  - {name: zh, text: '{key}是{value}。', question: '{key}？', answer: '{key}是'}\n");
  EXPECT_THAT(sweep.tasks, ElementsAre("de", "zh"));
  EXPECT_EQ(sweep.needles[1].text, "{key}是{value}。");
}

TEST(NeedleSection, RefusesWhatCouldNotBeAskedOrScored) {
  EXPECT_THAT(refusal(without("is {value}.", "is secret.")), HasSubstr("it has no {value}"));
  EXPECT_THAT(refusal(without("code of {key}?", "code of {value}?")),
              HasSubstr("needle.question: {value} would tell the answer"));
  EXPECT_THAT(refusal(without("  text: The code of {key} is", "  text: The code is")),
              HasSubstr("needle.text: it has no {key}, which the question names"));
  EXPECT_THAT(refusal(without("  answer: The code of {key} is\n", "")),
              HasSubstr("needle.answer: this key is required"));
  EXPECT_THAT(refusal(with("  values: [a, b, ab]\n")), HasSubstr("'a' is a part of 'ab'"));
  EXPECT_THAT(refusal(with("  values: [Code, x]\n")),
              HasSubstr("'Code' is also in the words of the question"));
  EXPECT_THAT(refusal(with("  values: [Rot, rot]\n")), HasSubstr("'rot' is listed twice"));
  EXPECT_THAT(refusal(with("  values: [' x']\n")), HasSubstr("has blanks at an end"));
  EXPECT_THAT(refusal(with("  values: [yes, no]\n  needles: 3\n")),
              HasSubstr("needle.values: a sample has 3 different ones, and 2 are listed"));
  EXPECT_THAT(refusal(with("  keys: [Ada]\n  distractors: 1\n")),
              HasSubstr("needle.keys: a sample has 2 different ones, and 1 is listed"));
  EXPECT_THAT(refusal(with("  keys: {file: /no/keys}\n")), HasSubstr("no such file: /no/keys"));
  EXPECT_THAT(refusal(with("  values: numbers\n")),
              HasSubstr("expected word, number or uuid, got 'numbers', did you mean 'number'?"));
  EXPECT_THAT(refusal(with("  distractors: 30\n")), HasSubstr("from 0 to 20"));
  EXPECT_THAT(refusal(with("  name: s2\n")), HasSubstr("'s2' is a task already"));
  EXPECT_THAT(refusal(with("  name: niah_single_2\n")), HasSubstr("is a task already"));
  EXPECT_THAT(refusal(with("  name: My Needle\n")), HasSubstr("a-z, 0-9 and _"));
  EXPECT_THAT(refusal(with("  qestion: x\n")), HasSubstr("did you mean 'question'?"));
}

TEST(NeedleSection, BelongsToATaskAndToProtocolNiah) {
  EXPECT_THAT(refusal(kSweep + kNeedle), HasSubstr("needle: `tasks` does not ask for 'own'"));
  EXPECT_EQ(refusal(with(""), {{"tasks", "[s1]"}}), "accepted");
  EXPECT_THAT(refusal(replaced(kSweep, "[s1, s2]", "[own]")), HasSubstr("'own' is not a task"));
  EXPECT_THAT(refusal(with("") + "protocol: lm-eval\n"),
              HasSubstr("protocol lm-eval has its own needles"));
  EXPECT_THAT(refusal(kSweep + "protocol: ruler\nhaystack: {kind: text, path: t, language: de}\n"),
              HasSubstr("protocol ruler splits every text as English"));
  EXPECT_THAT(refusal(kSweep + "haystack: {kind: kjv, language: de}\n"),
              HasSubstr("kjv is English"));
  EXPECT_THAT(refusal(kSweep + "haystack: {kind: text, path: t, language: d e}\n"),
              HasSubstr("a tag such as de or zh-Hant"));
}

TEST(NeedleSection, TheSamePromptsAreNotAskedTwice) {
  const std::string few = "  keys: [Ada]\n  values: [red, blue]\n";
  EXPECT_THAT(refusal(with(few) + "depths: [10, 90]\n"),
              AllOf(HasSubstr("samples: 10 of own at 4K would be the same again"),
                    HasSubstr("2 depths make only 4 prompts")));
  EXPECT_EQ(refusal(with(few)), "accepted") << "40 depths";
}

}  // namespace
}  // namespace niah
