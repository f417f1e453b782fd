#include "models/tokenizer/char_class.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <memory>

#include "harness/base/code_points.h"

namespace niah::models {
namespace {

/// Enclosed letters: category "symbol", but with the property Other_Alphabetic.
constexpr CodePointRange kAlphabeticSymbols[] = {
    {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

/// Two-letter general category; for code points newer than utf8proc, that of the reference.
std::string_view category(char32_t code_point) {
  const auto newer = newer_categories();
  const auto at = std::partition_point(newer.begin(), newer.end(), [&](const CategoryRange& range) {
    return range.last < code_point;
  });
  if (at != newer.end() && at->first <= code_point) return at->category;
  return utf8proc_category_string(static_cast<utf8proc_int32_t>(code_point));
}

CharClass classify(char32_t code_point) {
  if (is_white_space(code_point)) return CharClass::kSpace;
  switch (category(code_point)[0]) {
    case 'L':
      return CharClass::kLetter;
    case 'N':
      return CharClass::kNumber;
    default:
      return CharClass::kOther;
  }
}

constexpr std::size_t kTableSize = 0x10000;  ///< the Basic Multilingual Plane
using Table = std::array<CharClass, kTableSize>;

std::unique_ptr<const Table> make_table() {
  auto table = std::make_unique<Table>();
  for (char32_t c = 0; c < kTableSize; ++c) (*table)[c] = classify(c);
  return table;
}

}  // namespace

CharClass char_class(char32_t code_point) {
  static const std::unique_ptr<const Table> table = make_table();
  return code_point < kTableSize ? (*table)[code_point] : classify(code_point);
}

bool is_word_char(char32_t code_point) {
  constexpr char32_t kNonJoiner = 0x200C, kJoiner = 0x200D;
  const std::string_view name = category(code_point);
  return name[0] == 'L' || name[0] == 'M' || name == "Nd" || name == "Nl" || name == "Pc" ||
         code_point == kNonJoiner || code_point == kJoiner ||
         in_ranges(code_point, kAlphabeticSymbols);
}

}  // namespace niah::models
