#include "tasks/haystack/unicode_sentences.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"

namespace niah::tasks {
namespace {

/// Sentence_Break=STerm: ends a sentence whatever follows.
constexpr CodePointRange kFinalMarks[] = {
    {0x21, 0x21},     {0x3F, 0x3F},     {0x589, 0x589},   {0x61D, 0x61F},   {0x6D4, 0x6D4},
    {0x700, 0x702},   {0x7F9, 0x7F9},   {0x964, 0x965},   {0x104A, 0x104B}, {0x1362, 0x1362},
    {0x1367, 0x1368}, {0x166E, 0x166E}, {0x17D4, 0x17D5}, {0x1803, 0x1803}, {0x1809, 0x1809},
    {0x203C, 0x203D}, {0x2047, 0x2049}, {0x2E2E, 0x2E2E}, {0x3002, 0x3002}, {0xA4FF, 0xA4FF},
    {0xFE56, 0xFE57}, {0xFF01, 0xFF01}, {0xFF1F, 0xFF1F}, {0xFF61, 0xFF61}};
/// Sentence_Break=ATerm: ends one unless what follows says otherwise.
constexpr CodePointRange kPeriods[] = {
    {0x2E, 0x2E}, {0x2024, 0x2024}, {0xFE52, 0xFE52}, {0xFF0E, 0xFF0E}};
/// Sentence_Break=SContinue: goes on with the sentence.
constexpr CodePointRange kContinuingMarks[] = {
    {0x2C, 0x2D},     {0x3A, 0x3B},     {0x55D, 0x55D},   {0x60C, 0x60D},
    {0x2013, 0x2014}, {0x3001, 0x3001}, {0xFE50, 0xFE51}, {0xFE55, 0xFE55},
    {0xFE63, 0xFE63}, {0xFF0C, 0xFF0D}, {0xFF1A, 0xFF1B}, {0xFF64, 0xFF64}};

enum class SentencePart {
  kOther,
  kExtending,  ///< part of the character before it
  kSpace,
  kUpper,
  kLower,
  kLetter,  ///< without case
  kDigit,
  kFinalMark,
  kPeriod,
  kContinuing,
  kClosing,
  kInitialQuote,  ///< opens a quotation, but closes one that a low or reversed quote opened
};

/// Quotes that an initial one closes: those of „so“ and »so«.
constexpr CodePointRange kReversedQuotes[] = {
    {0xBB, 0xBB}, {0x201A, 0x201A}, {0x201E, 0x201E}, {0x203A, 0x203A}};

SentencePart part_by_category(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return SentencePart::kUpper;
    case UTF8PROC_CATEGORY_LL:
      return SentencePart::kLower;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
      return SentencePart::kLetter;
    case UTF8PROC_CATEGORY_ND:
      return SentencePart::kDigit;
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PF:
      return SentencePart::kClosing;
    case UTF8PROC_CATEGORY_PI:
      return SentencePart::kInitialQuote;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
      return SentencePart::kExtending;
    default:
      return SentencePart::kOther;
  }
}

SentencePart part_of(char32_t c) {
  if (is_white_space(c)) return SentencePart::kSpace;
  if (in_ranges(c, kFinalMarks)) return SentencePart::kFinalMark;
  if (in_ranges(c, kPeriods)) return SentencePart::kPeriod;
  if (in_ranges(c, kContinuingMarks)) return SentencePart::kContinuing;
  if (c == '"' || c == '\'') return SentencePart::kClosing;
  return part_by_category(c);
}

/// Reads a text part by part; what extends a character belongs to it.
class PartReader {
 public:
  explicit PartReader(std::string_view text) : text_(text) { read(); }

  bool is_at_end() const { return at_ >= text_.size(); }
  std::size_t at() const { return at_; }
  SentencePart part() const { return part_; }
  SentencePart before() const { return before_; }
  bool is(SentencePart part) const { return !is_at_end() && part_ == part; }
  bool ends_sentence() const { return is(SentencePart::kFinalMark) || is(SentencePart::kPeriod); }
  bool is_letter() const {
    return is(SentencePart::kUpper) || is(SentencePart::kLower) || is(SentencePart::kLetter);
  }

  void next() {
    before_ = part_;
    at_ += size_;
    read();
  }
  void skip(SentencePart part) {
    while (is(part)) next();
  }

 private:
  void read() {
    if (is_at_end()) return;
    const CodePoint c = code_point_at(text_, at_);
    part_ = part_of(c.value);
    size_ = c.size;
    if (part_ == SentencePart::kInitialQuote && is_reversed_) part_ = SentencePart::kClosing;
    if (in_ranges(c.value, kReversedQuotes)) is_reversed_ = true;
    while (at_ + size_ < text_.size()) {
      const CodePoint more = code_point_at(text_, at_ + size_);
      if (part_of(more.value) != SentencePart::kExtending) return;
      size_ += more.size;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0, size_ = 0;
  bool is_reversed_ = false;  ///< a low or reversed quote has been read
  SentencePart part_ = SentencePart::kOther, before_ = SentencePart::kOther;
};

/// SB8: whether the first letter that follows, before any terminator, is in lower case.
bool goes_on_in_lower_case(PartReader reader) {
  while (!reader.is_at_end() && !reader.is_letter() && !reader.ends_sentence()) reader.next();
  return reader.is(SentencePart::kLower);
}

/// Reads a terminator and what belongs to it. Returns whether a sentence ends there; `text_end` is
/// where its text does.
bool read_end(PartReader& reader, std::size_t& text_end) {
  const bool is_period = reader.is(SentencePart::kPeriod);
  const SentencePart before = reader.before();
  reader.next();
  text_end = reader.at();
  if (is_period && reader.is(SentencePart::kDigit)) return false;  // SB6
  const bool is_cased = before == SentencePart::kUpper || before == SentencePart::kLower;
  if (is_period && is_cased && reader.is(SentencePart::kUpper)) return false;  // SB7
  reader.skip(SentencePart::kClosing);
  text_end = reader.at();
  reader.skip(SentencePart::kSpace);
  if (is_period && goes_on_in_lower_case(reader)) return false;             // SB8
  return !reader.ends_sentence() && !reader.is(SentencePart::kContinuing);  // SB8a
}

}  // namespace

std::vector<std::string_view> split_unicode_sentences(std::string_view utf8) {
  std::vector<std::string_view> sentences;
  PartReader reader(utf8);
  reader.skip(SentencePart::kSpace);
  std::size_t begin = reader.at(), text_end = begin;
  while (!reader.is_at_end()) {
    if (!reader.ends_sentence()) {
      const bool is_space = reader.is(SentencePart::kSpace);
      reader.next();
      if (!is_space) text_end = reader.at();
      continue;
    }
    if (!read_end(reader, text_end)) continue;
    sentences.push_back(utf8.substr(begin, text_end - begin));
    begin = text_end = reader.at();
  }
  if (text_end > begin) sentences.push_back(utf8.substr(begin, text_end - begin));
  return sentences;
}

bool is_written_without_spaces(std::string_view language) {
  constexpr std::array<std::string_view, 4> kLanguages = {"zh", "ja", "yue", "wuu"};
  const std::string_view primary = language.substr(0, language.find('-'));
  return std::find(kLanguages.begin(), kLanguages.end(), primary) != kLanguages.end();
}

}  // namespace niah::tasks
