#include "tasks/haystack/prose.h"

#include <gtest/gtest.h>

#include <set>

#include "harness/base/sha256.h"
#include "tasks/haystack/punkt.h"

namespace niah::tasks {
namespace {

TEST(Prose, SentencesNeverChange) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += prose_sentence(i) + "\n";
  // Recorded from version prose-1. If the digest changes, samples change, which needs a new version
  // name.
  EXPECT_EQ(sha256_hex(text), "9b577da242e0e4476a8c4f09620c857b7f3398d5ed5a9c22eca147d968beb348");
}

TEST(Prose, IsPlainEnglishText) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,.";
  std::set<std::string> distinct;
  for (int i = 0; i < 5000; ++i) {
    const std::string sentence = prose_sentence(i);
    EXPECT_EQ(sentence.find_first_not_of(kAllowed), std::string::npos) << sentence;
    EXPECT_EQ(sentence.find("  "), std::string::npos) << sentence;
    EXPECT_TRUE(sentence[0] >= 'A' && sentence[0] <= 'Z') << sentence;
    EXPECT_EQ(sentence.find('.'), sentence.size() - 1) << sentence;
    EXPECT_EQ(split_sentences(sentence).size(), 1u) << sentence;
    distinct.insert(sentence);
  }
  EXPECT_GT(distinct.size(), 4950u);
}

TEST(Prose, SentencesDoNotDependOnOthers) {
  const std::string alone = prose_sentence(123'456'789);
  prose_sentence(3);
  EXPECT_EQ(prose_sentence(123'456'789), alone);
}

}  // namespace
}  // namespace niah::tasks
