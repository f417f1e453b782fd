#include "models/tokenizer/charsmap.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace niah::models {
namespace {

/// A table: its size, 256 units of which only the first two lead anywhere, and the replacements.
std::string table(std::uint32_t root, std::uint32_t first, const std::string& replacements) {
  std::vector<std::uint32_t> words(257, 1u << 31);
  words[0] = 256 * 4;
  words[1] = root;
  words[2] = first;
  return std::string(reinterpret_cast<const char*>(words.data()), words.size() * 4) + replacements;
}

constexpr std::uint32_t kValueAtOne = 1u << 10 | 1u << 8;  // offset 1, has a value

TEST(Charsmap, AcceptsWhatStaysInside) {
  const std::string replacements("a\0bc\0", 5);
  EXPECT_TRUE(is_sound_charsmap(table(0, 1u << 31, replacements)));
  EXPECT_TRUE(is_sound_charsmap(table(kValueAtOne, 1u << 31 | 4, replacements)));
}

TEST(Charsmap, RefusesWhatPointsOutside) {
  const std::string replacements("a\0bc\0", 5);
  EXPECT_FALSE(is_sound_charsmap(""));
  EXPECT_FALSE(is_sound_charsmap(std::string("\xFF\xFF\xFF\xFF", 4)));
  EXPECT_FALSE(is_sound_charsmap(std::string("\0\0\0\0\0", 5)));
  EXPECT_FALSE(is_sound_charsmap(table(256u << 10, 1u << 31, replacements)));       // children
  EXPECT_FALSE(is_sound_charsmap(table(kValueAtOne, 1u << 31 | 5, replacements)));  // value
  EXPECT_FALSE(is_sound_charsmap(table(0, 1u << 31, "no zero at the end")));
  EXPECT_FALSE(is_sound_charsmap(table(0, 1u << 31, "")));
  EXPECT_FALSE(is_sound_charsmap(table(0, 1u << 31, replacements).substr(0, 700)));
}

}  // namespace
}  // namespace niah::models
