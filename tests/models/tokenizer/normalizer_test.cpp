#include "models/tokenizer/normalizer.h"

#include <gtest/gtest.h>

#include "tests/models/tokenizer/cases.h"

namespace niah::models {
namespace {

std::string nfc(std::string_view text) {
  std::string buffer;
  return std::string(to_nfc(text, buffer));
}

TEST(Nfc, ComposesAndReorders) {
  EXPECT_EQ(nfc("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(nfc("a\u0307\u0323"), "\u1ea1\u0307");
  EXPECT_EQ(nfc("A\u030a \u212b"), "\u00c5 \u00c5");
  EXPECT_EQ(nfc("\u1100\u1161\u11a8"), "\uac01");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");  // excluded from composition
  EXPECT_EQ(nfc("\u0301alone"), "\u0301alone");
  EXPECT_EQ(nfc("\ufb01 \u00bd"), "\ufb01 \u00bd");  // compatibility decompositions only
}

TEST(Nfc, CharactersAfterUnicode10AreLeftAlone) {
  EXPECT_EQ(nfc("a\u0898\u0334"), "a\u0898\u0334");  // a combining mark new in Unicode 14
  EXPECT_EQ(nfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(nfc("e\u0301\u0898e\u0301"), "\u00e9\u0898\u00e9");
}

TEST(Nfc, NormalTextIsNotCopied) {
  std::string buffer;
  for (const std::string_view text : {"plain", "caf\u00e9 \u201cquoted\u201d \u4f60\u597d", ""}) {
    EXPECT_EQ(to_nfc(text, buffer).data(), text.data());
  }
}

TEST(Nfc, IsIdempotentAndPartsBeforeLatin) {
  const std::vector<std::string> parts = {
      "e",      "\u0301", "\u0323", "\u0327", "\u1100", "\u1161", "\u11a8", "\uac00",
      "\u212b", "\u0344", "\u0898", "\u3099", "\u304b", " ",      "\u00e9", "\u0958"};
  const auto texts = random_texts(parts, 3000, 3);
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    ASSERT_EQ(nfc(nfc(texts[i])), nfc(texts[i]));
    ASSERT_EQ(nfc(texts[i] + "x" + texts[i + 1]), nfc(texts[i]) + nfc("x" + texts[i + 1]));
  }
}

}  // namespace
}  // namespace niah::models
