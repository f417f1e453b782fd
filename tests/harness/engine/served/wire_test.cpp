#include "harness/engine/served/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/base/utf8.h"
#include "tests/harness/engine/served/openai_replies.h"

namespace niah::served {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json body_of(const WirePrompt& prompt, const AnswerLimits& limits) {
  return json::parse(generation_body({"m"}, prompt, limits));
}

TEST(GenerationBody, OfIds) {
  EXPECT_EQ(body_of(PromptIds{5, 6, 7},
                    {.max_tokens = 20, .stops = {"<|im_end|>"}, .stop_ids = {151'645}}),
            json::parse(R"({"model": "m", "prompt": [5, 6, 7], "max_tokens": 20, "temperature": 0,
              "stream": true, "stream_options": {"include_usage": true}, "stop": ["<|im_end|>"],
              "stop_token_ids": [151645]})"));
}

TEST(GenerationBody, MoreFieldsDoNotChangeWhatIsAsked) {
  const json body = json::parse(generation_body(
      {"m", R"({"repetition_penalty": 1, "model": "x", "max_tokens": 7})"}, "text", {}));
  EXPECT_EQ(body["repetition_penalty"], 1);
  EXPECT_EQ(body["model"], "m");
  EXPECT_EQ(body["max_tokens"], 1);
  EXPECT_EQ(json::parse(scoring_body({"m", R"({"a": [1]})"}, "text", {{8}, "8"}, "echo"))["a"],
            json::parse("[1]"));
}

TEST(GenerationBody, OfTextKnowsNoIdsAndLeavesOutWhatIsNotSaid) {
  EXPECT_EQ(body_of("a \"text\"\nä", {.max_tokens = 3, .stop_ids = {2}}),
            json::parse(R"({"model": "m", "prompt": "a \"text\"\nä", "max_tokens": 3,
              "temperature": 0, "stream": true, "stream_options": {"include_usage": true}})"));
  EXPECT_EQ(body_of("\xFF", {})["prompt"], "\uFFFD");
}

TEST(GenerationBody, OfAChatGoesOnWithTheAnswerThatIsBegun) {
  const json begun = body_of(Chat{"Be brief.", "What is it?", "It is"}, {});
  EXPECT_EQ(begun["messages"], json::parse(R"([{"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "It is"}])"));
  EXPECT_EQ(begun["add_generation_prompt"], false);
  EXPECT_EQ(begun["continue_final_message"], true);
  EXPECT_FALSE(begun.contains("prompt"));
  const json plain = body_of(Chat{"", "What is it?", ""}, {});
  EXPECT_EQ(plain["messages"].size(), 1U);
  EXPECT_FALSE(plain.contains("continue_final_message"));
}

TEST(ScoringBody, HasTheExpectedAnswerAfterThePrompt) {
  const Expected expected{{8, 9}, " 12"};
  const json echo = json::parse(scoring_body({"m"}, PromptIds{5}, expected, "echo"));
  EXPECT_EQ(echo["prompt"], json::parse("[5, 8, 9]"));
  EXPECT_EQ(echo["echo"], true);
  EXPECT_EQ(echo["logprobs"], 1);
  EXPECT_FALSE(echo.contains("stream"));
  const json own = json::parse(scoring_body({"m"}, "is", expected, "prompt_logprobs"));
  EXPECT_EQ(own["prompt"], "is 12");
  EXPECT_EQ(own["prompt_logprobs"], 1);
  EXPECT_FALSE(own.contains("echo"));
  const json chat =
      json::parse(scoring_body({"m"}, Chat{"", "q", "is"}, expected, "prompt_logprobs"));
  EXPECT_EQ(chat["messages"].back()["content"], "is 12");
}

TEST(ParsePart, ReadsCompletionsAndChats) {
  const AnswerPart text = parse_part(
      R"({"id": "1", "model": "m-2", "system_fingerprint": "fp", "choices": [{"index": 0,
          "text": " 12", "finish_reason": "length"}], "usage": {"prompt_tokens": 7,
          "completion_tokens": 2}})");
  EXPECT_TRUE(text.has_choice);
  EXPECT_EQ(text.text, " 12");
  EXPECT_EQ(text.finish_reason, "length");
  EXPECT_EQ(text.prompt_tokens, 7);
  EXPECT_EQ(text.completion_tokens, 2);
  EXPECT_EQ(text.model, "m-2");
  EXPECT_EQ(text.system_fingerprint, "fp");
  const AnswerPart delta =
      parse_part(R"({"choices": [{"delta": {"reasoning": "hm", "content": null}}]})");
  EXPECT_EQ(delta.thought, "hm");
  EXPECT_EQ(delta.text, "");
  const AnswerPart message = parse_part(
      R"({"choices": [{"message": {"content": "12", "reasoning_content": "hm",
          "reasoning": "hm"}}]})");
  EXPECT_EQ(message.thought, "hm");
  EXPECT_EQ(message.text, "12");
}

TEST(ParsePart, TakesWhatMayBeMissing) {
  const AnswerPart empty = parse_part(R"({"choices": [{"text": null, "finish_reason": null}]})");
  EXPECT_TRUE(empty.has_choice);
  EXPECT_EQ(empty.text, "");
  EXPECT_EQ(empty.finish_reason, "");
  EXPECT_FALSE(empty.prompt_tokens);
  const AnswerPart usage = parse_part(R"({"choices": [], "usage": {"prompt_tokens": 5}})");
  EXPECT_FALSE(usage.has_choice);
  EXPECT_EQ(usage.prompt_tokens, 5);
  EXPECT_FALSE(parse_part("{}").has_choice);
  EXPECT_FALSE(parse_part(R"({"usage": null, "choices": null, "error": null})").error);
  EXPECT_FALSE(parse_part(R"({"usage": {"prompt_tokens": 0}})").prompt_tokens);
  for (const char* odd : {"-1", "1e3", "18446744073709551615", "\"7\"", "[7]"})
    EXPECT_FALSE(
        parse_part(std::string(R"({"usage": {"prompt_tokens": )") + odd + "}}").prompt_tokens)
        << odd;
}

TEST(ParsePart, OfSeveralChoicesTheFirstCounts) {
  EXPECT_EQ(
      parse_part(R"({"choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]})").text,
      "a");
  EXPECT_FALSE(parse_part(R"({"choices": [{"index": 1, "text": "b"}]})").has_choice);
}

TEST(ParsePart, TellsErrorsFromAnswers) {
  const auto error = [](const json& body) { return parse_part(body.dump()).error.value(); };
  EXPECT_EQ(error(openai_error("too long", "x", 400)).words, "too long");
  EXPECT_EQ(error(openai_error("too long", "x", 400)).status, 400);
  EXPECT_EQ(error(old_vllm_error("no", 404)).status, 404);
  EXPECT_EQ(error(old_vllm_error("no", 404)).words, "no");
  EXPECT_EQ(error({{"error", "busy"}}).words, "busy");
  EXPECT_FALSE(error({{"error", "busy"}}).status);
  EXPECT_EQ(error({{"error", {{"code", "x"}}}}).words, R"({"code":"x"})");
  EXPECT_FALSE(error({{"error", {{"code", 7}}}}).status);
  EXPECT_EQ(error({{"error", {{"message", " "}, {"code", 500}}}}).words,
            R"({"code":500,"message":" "})");
  EXPECT_EQ(error({{"error", ""}}).words, R"("")");
  EXPECT_EQ(error({{"detail", "Not Found"}}).words, "Not Found");
  EXPECT_FALSE(parse_part(R"({"choices": [], "detail": "all well"})").error);
}

TEST(ParsePart, RefusesWhatIsNoAnswer) {
  for (const char* bad :
       {"", "{", "[]", "7", "null", "{\"choices\": [{\"text\": \"", "{\"choices\": 7}",
        "{\"choices\": [7]}", "{\"choices\": [{\"text\": 7}]}", "{\"a\": 1, \"a\": 2}",
        "{\"choices\": [{\"delta\": {\"content\": [\"a\"]}}]}",
        "{\"choices\": [{\"text\": \"\\ud83d\"}]}",
        "{\"choices\": [{\"text\": \"a\", \"finish_reason\": {}}]}"})
    EXPECT_THROW(parse_part(bad), BadAnswer) << bad;
  EXPECT_THROW(parse_part(std::string(1000, '[')), BadAnswer);
}

TEST(ParsePart, TextIsAlwaysUtf8) {
  EXPECT_EQ(parse_part("{\"choices\": [{\"text\": \"a\xE2\x82\"}]}").text, "a\uFFFD");
  EXPECT_EQ(parse_part("{\"choices\": [{\"text\": \"\\ud83d\\ude00\"}]}").text, "\U0001F600");
}

TEST(ParseError, IsOneShortLineOfAnything) {
  EXPECT_EQ(parse_error("\n <html>busy</html>").words, "<html>busy</html>");
  EXPECT_EQ(parse_error("").words, "(no words)");
  EXPECT_EQ(parse_error(R"({"message": "no key"})").words, "no key");
  EXPECT_EQ(parse_error(R"({"detail": [{"msg": "bad"}]})").words, R"([{"msg":"bad"}])");
  const json loud = {{"error", {{"message", "a\n\x1b[31m" + std::string(10'000, 'x')}}}};
  const std::string words = parse_error(loud.dump()).words;
  EXPECT_TRUE(words.starts_with("a\\n\\x1b[31mxxx"));
  EXPECT_LE(words.size(), 303U);
  EXPECT_EQ(find_invalid_utf8(parse_error("\xFF\xFE").words), std::string_view::npos);
}

const std::vector<LoggedToken> kLogged = {
    {5, "The", -9, 9}, {6, " value", -3, 4}, {8, " 1", -0.5, 1}, {9, "2", -0.25, 3}};
const Expected kExpected{{8, 9}, " 12"};

json scored(const char* where, json logged, std::int64_t prompt_tokens = 4) {
  return {{"choices", json::array({{{"index", 0}, {where, std::move(logged)}}})},
          {"usage", usage(prompt_tokens, 1)}};
}

std::string why_not(const json& answer, const WirePrompt& prompt, const std::string& how) {
  try {
    parse_score(answer.dump(), prompt, kExpected, how);
  } catch (const BadAnswer& bad) {
    return bad.what();
  }
  return "a score";
}

TEST(ParseScore, SumsTheEntriesOfTheExpectedAnswer) {
  const json own = scored("prompt_logprobs", prompt_logprobs(kLogged));
  const json echo = scored("logprobs", echo_logprobs(kLogged));
  for (const WirePrompt& prompt : {WirePrompt(PromptIds{5, 6}), WirePrompt("The value")}) {
    const ExpectedScore by_own = parse_score(own.dump(), prompt, kExpected, "prompt_logprobs");
    EXPECT_DOUBLE_EQ(by_own.log_prob, -0.75);
    EXPECT_EQ(by_own.rank, 3);
    const ExpectedScore by_echo = parse_score(echo.dump(), prompt, kExpected, "echo");
    EXPECT_DOUBLE_EQ(by_echo.log_prob, -0.75);
    EXPECT_FALSE(by_echo.rank);
  }
}

TEST(ParseScore, KnowsTheTokenThatWasGeneratedAfterAnEcho) {
  std::vector<LoggedToken> more = kLogged;
  more.push_back({1, "!", -7, 1});
  const json echo = scored("logprobs", echo_logprobs(more));
  EXPECT_DOUBLE_EQ(parse_score(echo.dump(), PromptIds{5, 6}, kExpected, "echo").log_prob, -0.75);
  EXPECT_THAT(
      why_not(scored("prompt_logprobs", prompt_logprobs(more)), PromptIds{5, 6}, "prompt_logprobs"),
      HasSubstr("5 log-probabilities of 4 tokens"));
}

TEST(ParseScore, OfAChatStandsBesideTheChoices) {
  json answer = scored("other", nullptr, 6);
  std::vector<LoggedToken> framed = {{1, "<user>", 0, 1}, {2, "<assistant>", -1, 1}};
  framed.insert(framed.end(), kLogged.begin(), kLogged.end());
  answer["prompt_logprobs"] = prompt_logprobs(framed);
  EXPECT_DOUBLE_EQ(
      parse_score(answer.dump(), Chat{"", "q", "The value"}, kExpected, "prompt_logprobs").log_prob,
      -0.75);
}

TEST(ParseScore, IsNeverInvented) {
  const WirePrompt ids = PromptIds{5, 6}, text = "The value";
  const std::string own = "prompt_logprobs";
  EXPECT_THAT(why_not(scored(own.c_str(), nullptr), ids, own), HasSubstr("no log-probabilities"));
  EXPECT_THAT(why_not(scored("logprobs", nullptr), ids, "echo"), HasSubstr("no log-probabilities"));
  auto few = kLogged;
  few.erase(few.begin());
  EXPECT_THAT(why_not(scored("logprobs", echo_logprobs(few)), ids, "echo"),
              HasSubstr("3 log-probabilities of 4 tokens"));
  EXPECT_THAT(why_not(scored("logprobs", echo_logprobs(few), 3), ids, "echo"),
              HasSubstr("it read 3 tokens, 4 were sent"));
  json uncounted = scored("logprobs", echo_logprobs(kLogged));
  uncounted.erase("usage");
  EXPECT_EQ(why_not(uncounted, ids, "echo"), "a score");
  EXPECT_THAT(why_not(uncounted, text, "echo"), HasSubstr("how many tokens"));
  auto other = kLogged;
  other[3] = {10, "3", -0.25, 1};
  EXPECT_THAT(why_not(scored(own.c_str(), prompt_logprobs(other)), ids, own),
              HasSubstr("token 1 of the expected answer, 9, has no"));
  EXPECT_THAT(why_not(scored("logprobs", echo_logprobs(other)), text, "echo"),
              HasSubstr("'13', not '12'"));
  json odd = scored("logprobs", echo_logprobs(kLogged));
  for (const json& value : {json(nullptr), json("-1"), json(0.5)}) {
    odd["choices"][0]["logprobs"]["token_logprobs"][3] = value;
    EXPECT_THAT(why_not(odd, ids, "echo"), HasSubstr("a log-probability"));
  }
  EXPECT_THAT(why_not(openai_error("too long", "x", 400), ids, "echo"), HasSubstr("too long"));
  EXPECT_THROW(parse_score("{\"choices\"", ids, kExpected, "echo"), BadAnswer);
}

TEST(ParseScore, WithoutARankOfOneTokenHasNone) {
  json own = scored("prompt_logprobs", prompt_logprobs(kLogged));
  own["choices"][0]["prompt_logprobs"][2]["8"].erase("rank");
  EXPECT_FALSE(parse_score(own.dump(), PromptIds{5, 6}, kExpected, "prompt_logprobs").rank);
}

TEST(ParseScore, HowASpaceIsSpelledIsTheTokenizersAffair) {
  auto pieces = kLogged;
  pieces[2].text = "\u25811";
  EXPECT_EQ(why_not(scored("logprobs", echo_logprobs(pieces)), "The value", "echo"), "a score");
}

}  // namespace
}  // namespace niah::served
