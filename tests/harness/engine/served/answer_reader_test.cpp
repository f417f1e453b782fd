#include "harness/engine/served/answer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/harness/engine/served/openai_replies.h"

namespace niah::served {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string joined(const std::vector<std::string>& events) {
  std::string bytes;
  for (const std::string& one : events) bytes += one;
  return bytes;
}

std::string chunk(const json& choice) { return json_event({{"choices", json::array({choice})}}); }

/// Feeds bytes to an AnswerReader in pieces and counts those it took.
struct Reading {
  AnswerReader reader;
  std::size_t taken = 0;

  explicit Reading(Enough enough) : reader(std::move(enough)) {}
  Reading& read(std::string_view bytes, std::size_t piece = 7) {
    for (; taken < bytes.size(); taken += piece)
      if (!reader.take(bytes.substr(taken, piece))) return *this;
    reader.finish();
    return *this;
  }
};

const Said kSaid{.text = " It is 1234567, naïvely 😀.", .prompt_tokens = 9};

TEST(AnswerReader, ReadsStreamsAndWholeAnswersHoweverTheyAreCut) {
  for (const std::string& bytes : {joined(completion_events(kSaid)), joined(chat_events(kSaid)),
                                   "\r\n " + completion_json(kSaid).pieces.front().bytes,
                                   chat_json(kSaid).pieces.front().bytes})
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 64U, 100'000U}) {
      const Reading all = Reading({.max_tokens = 50}).read(bytes, piece);
      ASSERT_TRUE(all.reader.is_whole()) << all.reader.fault();
      EXPECT_TRUE(all.reader.is_enough());
      EXPECT_EQ(all.reader.text(), kSaid.text);
      EXPECT_EQ(all.reader.prompt_tokens(), 9);
      EXPECT_EQ(all.reader.model(), "m");
      EXPECT_FALSE(all.reader.hit_limit());
      EXPECT_FALSE(all.reader.is_decided());
    }
}

TEST(AnswerReader, KnowsWhetherTherewasMoreToSay) {
  const auto hit_limit = [](Said said, std::int64_t room) {
    return Reading({.max_tokens = room}).read(joined(completion_events(said))).reader.hit_limit();
  };
  Said said{.text = "abcdef", .prompt_tokens = 1};
  EXPECT_FALSE(hit_limit(said, 2));
  said.finish_reason = "length";
  EXPECT_TRUE(hit_limit(said, 9));
  const std::string untold =
      chunk({{"text", "abc"}}) + json_event({{"usage", usage(1, 2)}}) + done();
  EXPECT_TRUE(Reading({.max_tokens = 2}).read(untold).reader.hit_limit());
  EXPECT_FALSE(Reading({.max_tokens = 3}).read(untold).reader.hit_limit());
}

TEST(AnswerReader, KnowsWhetherTheContextWasFull) {
  const auto is_full = [](const Said& said, std::int64_t room) {
    const AnswerReader reader =
        Reading({.max_tokens = room}).read(joined(completion_events(said))).reader;
    return reader.ran_out_of_context();
  };
  const Said said{.text = "abcdef", .prompt_tokens = 1, .finish_reason = "length"};
  EXPECT_FALSE(is_full(said, 2));
  EXPECT_TRUE(is_full(said, 3));
  EXPECT_TRUE(is_full({.text = "", .prompt_tokens = 1, .finish_reason = "length"}, 1));
  EXPECT_FALSE(is_full({.text = "abcdef", .prompt_tokens = 1}, 8)) << "it ended by itself";
  Said untold = said;
  untold.has_usage = false;
  EXPECT_FALSE(is_full(untold, 8));
}

TEST(AnswerReader, AThoughtThatIsToldApartStandsBetweenItsMarks) {
  const auto text = [](const std::string& bytes) {
    return Reading({.max_tokens = 50}).read(bytes).reader.text();
  };
  const std::string thought = chunk({{"delta", {{"reasoning_content", "12"}}}}) +
                              chunk({{"delta", {{"reasoning_content", "34?"}}}});
  const std::string end = chunk({{"delta", json::object()}, {"finish_reason", "stop"}});
  EXPECT_EQ(text(thought + chunk({{"delta", {{"content", "Yes"}}}}) + end),
            "<think>1234?</think>Yes");
  EXPECT_EQ(text(thought + end), "<think>1234?");
  EXPECT_EQ(
      text(json{{"choices", json::array({{{"message", {{"reasoning", "hm"}, {"content", "12"}}}}})}}
               .dump()),
      "<think>hm</think>12");
}

TEST(AnswerReader, EndsWhenItIsDecided) {
  const Enough enough{.max_tokens = 50, .is_decided = [](std::string_view text) {
                        return text.find("1234567") != std::string_view::npos;
                      }};
  const std::string bytes = joined(completion_events(kSaid));
  const Reading early = Reading(enough).read(bytes, 1);
  EXPECT_TRUE(early.reader.is_decided());
  EXPECT_TRUE(early.reader.is_enough());
  EXPECT_TRUE(std::string(" It is 1234567, n").starts_with(early.reader.text()));
  EXPECT_LT(early.taken, bytes.size() / 2);
  EXPECT_FALSE(early.reader.prompt_tokens());
  Enough counted = enough;
  counted.waits_for_count = true;
  const Reading later = Reading(counted).read(bytes, 1);
  EXPECT_EQ(later.reader.prompt_tokens(), 9);
  EXPECT_EQ(later.reader.text(), early.reader.text());
  EXPECT_FALSE(later.reader.hit_limit());
}

TEST(AnswerReader, AnEndTokenThatIsSpelledOutEndsTheAnswer) {
  const Enough enough{.max_tokens = 50, .stops = {"</s>", "<|im_end|>"}};
  const Said said{.text = "1234567<|im_end|>\nuser</s>", .prompt_tokens = 1};
  const std::string bytes = joined(completion_events(said));
  const Reading reading = Reading(enough).read(bytes, 1);
  EXPECT_EQ(reading.reader.text(), "1234567");
  EXPECT_TRUE(reading.reader.is_whole());
  EXPECT_LT(reading.taken, bytes.size());
}

std::string fault_of(const std::string& bytes) {
  const Reading reading = Reading({.max_tokens = 2}).read(bytes);
  EXPECT_FALSE(reading.reader.is_whole());
  return reading.reader.fault();
}

TEST(AnswerReader, SaysWhatIsWrong) {
  const std::string begun = chunk({{"text", "12"}});
  EXPECT_THAT(fault_of(begun), HasSubstr("it ended before the answer did"));
  EXPECT_THAT(fault_of(begun + "data: {\"choices\": [{\"te\n\n"), HasSubstr("no whole JSON"));
  EXPECT_THAT(fault_of("{\"choices\": [{\"text\": \"1"), HasSubstr("no whole JSON"));
  EXPECT_THAT(fault_of(""), HasSubstr("there is no answer in it"));
  EXPECT_THAT(fault_of("<html>\nbusy"), HasSubstr("'<html>\\nbusy'"));
  EXPECT_THAT(fault_of(done()), HasSubstr("there is no answer in it"));
  EXPECT_THAT(fault_of(begun + chunk({{"text", ""}, {"finish_reason", "abort"}}) + done()),
              HasSubstr("the server broke it off, with finish_reason 'abort'"));
  EXPECT_THAT(fault_of("{\"choices\": []}"), HasSubstr("there is no answer in it"));
  EXPECT_THAT(fault_of("[1]"), HasSubstr("it is no object"));
}

TEST(AnswerReader, HandsOnTheServersError) {
  const Reading reading = Reading({}).read(
      chunk({{"text", "1"}}) + json_event(openai_error("engine died", "x", 500)) + done());
  ASSERT_TRUE(reading.reader.error());
  EXPECT_EQ(reading.reader.error()->words, "engine died");
  EXPECT_FALSE(reading.reader.is_whole());
  const Reading whole = Reading({}).read(openai_error("no", "x", 400).dump());
  EXPECT_EQ(whole.reader.error()->status, 400);
}

TEST(AnswerReader, IsBoundedWhereTheServerIsNot) {
  const std::string token = chunk({{"text", "a"}});
  AnswerReader endless({.max_tokens = 10});
  int taken = 0;
  while (taken < 1000 && endless.take(token)) ++taken;
  EXPECT_LT(taken, 40);
  EXPECT_THAT(endless.fault(), HasSubstr("it goes on after the 10 tokens"));
  AnswerReader decided({.max_tokens = 10,
                        .is_decided = [](std::string_view) { return true; },
                        .waits_for_count = true});
  for (taken = 0; taken < 1000 && decided.take(token); ++taken) {
  }
  EXPECT_LT(taken, 40);
  EXPECT_TRUE(decided.is_enough());
  AnswerReader line({});
  const std::string megabyte(1U << 20U, 'x');
  EXPECT_FALSE(line.take(megabyte) && line.take(megabyte));
  AnswerReader document({});
  document.take("{\"a\": \"");
  for (taken = 0; taken < 100 && document.take(megabyte); ++taken) {
  }
  EXPECT_LT(taken, 20);
}

TEST(AnswerReader, ShowsNothingThatIsHidden) {
  const Enough enough{.hide = [](std::string text) {
    const std::size_t at = text.find("secret");
    return at == std::string::npos ? text : text.replace(at, 6, "***");
  }};
  EXPECT_THAT(Reading(enough).read("<p>secret</p>").reader.fault(), HasSubstr("<p>***</p>"));
  EXPECT_THAT(Reading(enough).read("{secret").reader.fault(), HasSubstr("{***"));
  EXPECT_EQ(Reading(enough).read("{\"error\": \"secret\"}").reader.error()->words, "***");
}

}  // namespace
}  // namespace niah::served
