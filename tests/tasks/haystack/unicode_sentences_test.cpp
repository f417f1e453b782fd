#include "tasks/haystack/unicode_sentences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace niah::tasks {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(UnicodeSentences, EndAtTerminatorsWithWhatClosesThem) {
  EXPECT_THAT(
      split_unicode_sentences("Der Hund bellt. Wer hört ihn? „Niemand!“ (Doch.) Er schläft"),
      ElementsAre("Der Hund bellt.", "Wer hört ihn?", "„Niemand!“", "(Doch.)", "Er schläft"));
  EXPECT_THAT(split_unicode_sentences("¿Quién es? ¡Yo! Él vino."),
              ElementsAre("¿Quién es?", "¡Yo!", "Él vino."));
}

TEST(UnicodeSentences, NeedNoSpacesBetweenThem) {
  EXPECT_THAT(split_unicode_sentences("今天下雨。他问：“你去吗？”我说不去！好……明天再说。"),
              ElementsAre("今天下雨。", "他问：“你去吗？”", "我说不去！", "好……明天再说。"));
  EXPECT_THAT(split_unicode_sentences("雨です。「はい。」と言った。"),
              ElementsAre("雨です。", "「はい。」", "と言った。"));
  EXPECT_THAT(split_unicode_sentences("他走了。“你好！”（她笑了。）《书》很好。"),
              ElementsAre("他走了。", "“你好！”", "（她笑了。）", "《书》很好。"));
}

TEST(UnicodeSentences, KnowTheMarksOfOtherScripts) {
  EXPECT_THAT(split_unicode_sentences("वह आया। वह गया॥ ما هذا؟ هذا كتاب۔ Ինչ է։ Այո։"),
              ElementsAre("वह आया।", "वह गया॥", "ما هذا؟", "هذا كتاب۔", "Ինչ է։", "Այո։"));
}

TEST(UnicodeSentences, GoOnAfterAPeriodThatEndsNone) {
  EXPECT_THAT(split_unicode_sentences("Es kostet 3.50 Euro, d. h. fast nichts. U.S.A. heißt es."),
              ElementsAre("Es kostet 3.50 Euro, d. h. fast nichts.", "U.S.A. heißt es."));
  EXPECT_THAT(split_unicode_sentences("Er kam, usw., und ging. ja. Nein!? Doch."),
              ElementsAre("Er kam, usw., und ging. ja.", "Nein!?", "Doch."));
  EXPECT_THAT(split_unicode_sentences("„Halt!“, rief er. Sie ging."),
              ElementsAre("„Halt!“, rief er.", "Sie ging."));
}

TEST(UnicodeSentences, LeaveNothingOutButSpaces) {
  const std::string text = "  A b.  C'est l'été\xCC\x81.D. ... 。。 x ?! é\xCC\x82";
  std::string joined, without;
  for (const std::string_view sentence : split_unicode_sentences(text)) {
    EXPECT_FALSE(sentence.empty());
    EXPECT_NE(sentence.front(), ' ');
    EXPECT_NE(sentence.back(), ' ');
    for (const char c : sentence)
      if (c != ' ') joined += c;
  }
  for (const char c : text)
    if (c != ' ') without += c;
  EXPECT_EQ(joined, without);
  EXPECT_THAT(split_unicode_sentences(""), IsEmpty());
  EXPECT_THAT(split_unicode_sentences("   "), IsEmpty());
  EXPECT_THAT(split_unicode_sentences("."), ElementsAre("."));
}

TEST(UnicodeSentences, TakeLinearTime) {
  for (const char* piece : {". ", ".(", "a. (1", "。", "...", ".\xCC\x81"}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    const auto begin = std::chrono::steady_clock::now();
    split_unicode_sentences(text);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << piece;
  }
}

TEST(UnicodeSentences, ChineseAndJapaneseAreWrittenWithoutSpaces) {
  for (const char* language : {"zh", "zh-Hant", "ja"})
    EXPECT_TRUE(is_written_without_spaces(language));
  for (const char* language : {"", "de", "zha", "ko", "th"})
    EXPECT_FALSE(is_written_without_spaces(language)) << language;
}

}  // namespace
}  // namespace niah::tasks
