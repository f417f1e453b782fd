#include "tasks/scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr std::string_view kThoughtBegin = "<think>";
constexpr std::string_view kThoughtEnd = "</think>";

constexpr std::pair<MissClass, const char*> kNames[] = {
    {MissClass::kHit, "hit"},
    {MissClass::kWrongValue, "wrong_value"},
    {MissClass::kPartialValue, "partial_value"},
    {MissClass::kHaystackEcho, "haystack_echo"},
    {MissClass::kRefused, "refused"},
    {MissClass::kOutOfTokens, "out_of_tokens"},
    {MissClass::kStillThinking, "still_thinking"},
    {MissClass::kAnswerInThought, "answer_in_thought"},
    {MissClass::kEmpty, "empty"},
    {MissClass::kGarbage, "garbage"}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_hex_or_hyphen(char c) { return is_hex(c) || c == '-'; }
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whether `value` has the form of a UUID: 8-4-4-4-12 hex digits.
bool is_uuid(std::string_view value) {
  constexpr std::size_t kLength = 36;
  if (value.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? value[i] != '-' : !is_hex(value[i])) return false;
  }
  return true;
}

bool is_number(std::string_view value) {
  constexpr std::size_t kDigits = 7;
  return value.size() == kDigits && std::all_of(value.begin(), value.end(), is_digit);
}

/// The maximal runs of characters for which `belongs` holds and that no letter or digit touches.
template <typename Predicate>
std::vector<std::string_view> separate_runs(std::string_view text, Predicate belongs) {
  std::vector<std::string_view> runs;
  for (std::size_t i = 0; i < text.size();) {
    if (!belongs(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && belongs(text[end])) ++end;
    const bool touches = (i > 0 && is_alphanumeric(text[i - 1])) ||
                         (end < text.size() && is_alphanumeric(text[end]));
    if (!touches) runs.push_back(text.substr(i, end - i));
    i = end;
  }
  return runs;
}

/// The output as the reference programs compare it: stripped, control characters as newlines, in
/// lower case.
std::string clean(std::string_view output) {
  std::string text(strip(output));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '\n');
  return to_lower(strip(text));
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool is_refusal(std::string_view answer) {
  static constexpr std::array<std::string_view, 14> kPhrases = {
      "not mentioned", "no mention",  "not provided", "not specified", "does not mention",
      "not found",     "cannot",      "can't",        "unable to",     "there is no ",
      "don't know",    "do not know", "i'm sorry",    "i am sorry"};
  const std::string lower = to_lower(answer);
  return std::any_of(kPhrases.begin(), kPhrases.end(),
                     [&](std::string_view phrase) { return contains(lower, phrase); });
}

/// Whether a stretch of the answer, too long for a coincidence, is also in the prompt.
bool is_echo(std::string_view answer, std::string_view prompt) {
  constexpr std::size_t kStretch = 40;
  for (std::size_t at = 0; at + kStretch <= answer.size(); at += kStretch / 2) {
    if (contains(prompt, answer.substr(at, kStretch))) return true;
  }
  return false;
}

/// Whether the answer ends in a loop: its second half repeats a short piece.
bool is_loop(std::string_view answer) {
  constexpr std::size_t kShortest = 24;
  constexpr std::size_t kMostRepeats = 3;
  if (answer.size() < kShortest) return false;
  const std::string_view half = answer.substr(answer.size() / 2);
  for (std::size_t period = 1; period <= half.size() / kMostRepeats; ++period) {
    if (half.substr(period) == half.substr(0, half.size() - period)) return true;
  }
  return false;
}

/// How many characters a UUID may lack and still be known for one.
constexpr std::size_t kFewCharacters = 4;

/// Whether `run` would be a UUID but for a few characters that it lacks.
bool is_short_uuid(std::string_view run) {
  constexpr std::size_t kLength = 36;
  constexpr std::ptrdiff_t kFewestHyphens = 3, kMostHyphens = 4;
  if (run.size() >= kLength || run.size() + kFewCharacters < kLength) return false;
  const auto hyphens = std::count(run.begin(), run.end(), '-');
  return hyphens >= kFewestHyphens && hyphens <= kMostHyphens;
}

/// Whether leaving characters out of `value` makes `run`.
bool is_left_of(std::string_view run, std::string_view value) {
  std::size_t matched = 0;
  for (const char c : value) matched += matched < run.size() && run[matched] == c ? 1 : 0;
  return matched == run.size();
}

/// The UUIDs of the answer that lack a few characters, in lower case.
std::vector<std::string> short_uuids(std::string_view answer) {
  const std::string text = to_lower(answer);
  std::vector<std::string> found;
  for (std::string_view run : separate_runs(text, is_hex_or_hyphen)) {
    run.remove_prefix(std::min(run.find_first_not_of('-'), run.size()));
    if (is_short_uuid(run)) found.emplace_back(run);
  }
  return found;
}

/// Whether the answer has a part of the value: its first characters, or of a UUID all but a few,
/// which may be the first ones.
bool is_part(std::string_view answer, const std::vector<std::string>& uuids,
             const std::string& value) {
  constexpr std::size_t kPartial = 3;  // by chance, one number in a thousand gets so many right
  return matching_prefix(answer, value) >= kPartial ||
         (is_uuid(value) && std::any_of(uuids.begin(), uuids.end(), [&](const std::string& uuid) {
            return is_left_of(uuid, to_lower(value));
          }));
}

/// Whether the values are words of letters, not numbers or UUIDs.
bool are_words(const std::vector<std::string>& values) {
  const auto has_digit = [](const std::string& value) {
    return std::any_of(value.begin(), value.end(), is_digit);
  };
  return !values.empty() && std::none_of(values.begin(), values.end(), has_digit);
}

/// Whether the answer holds a word of letters that is as long as one of the values: there is no
/// other way to know what might have been meant for one.
bool contains_word_like(std::string_view text, const std::vector<std::string>& values) {
  const auto words = separate_runs(text, is_alphanumeric);
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::any_of(values.begin(), values.end(),
                       [&](const std::string& value) { return value.size() == word.size(); });
  });
}

/// As classify_miss(), of an answer that should name words.
MissClass classify_word_miss(std::string_view text, const ScoringInput& answer) {
  if (string_match_all(text, *answer.expected) > 0) return MissClass::kPartialValue;
  if (is_refusal(text)) return MissClass::kRefused;
  if (is_echo(text, answer.prompt)) return MissClass::kHaystackEcho;
  if (contains_word_like(text, *answer.expected)) return MissClass::kWrongValue;
  if (answer.hit_token_limit && !is_loop(text)) return MissClass::kOutOfTokens;
  return MissClass::kGarbage;
}

/// The class of an answer that is neither a hit nor an unfinished thought.
MissClass classify_miss(std::string_view text, const ScoringInput& answer) {
  const auto& expected = *answer.expected;
  if (are_words(expected)) return classify_word_miss(text, answer);
  const bool of_uuids = std::any_of(expected.begin(), expected.end(), is_uuid);
  const std::vector<std::string> uuids = of_uuids ? short_uuids(text) : std::vector<std::string>();
  const bool partial = std::any_of(expected.begin(), expected.end(), [&](const std::string& value) {
    return is_part(text, uuids, value);
  });
  if (partial) return MissClass::kPartialValue;
  if (contains_value(text) || !uuids.empty()) return MissClass::kWrongValue;
  if (is_refusal(text)) return MissClass::kRefused;
  if (is_echo(text, answer.prompt)) return MissClass::kHaystackEcho;
  if (answer.hit_token_limit && !is_loop(text)) return MissClass::kOutOfTokens;
  return MissClass::kGarbage;
}

}  // namespace

double string_match_all(std::string_view output, const std::vector<std::string>& expected) {
  if (expected.empty()) return contains_value(output) ? 0.0 : 1.0;
  const std::string text = clean(output);
  const auto found = std::count_if(expected.begin(), expected.end(), [&](const std::string& value) {
    return contains(text, to_lower(value));
  });
  return static_cast<double>(found) / static_cast<double>(expected.size());
}

std::string miss_class_name(MissClass miss) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [miss](const auto& entry) { return entry.first == miss; });
  check(found != std::end(kNames), "a miss class has no name");
  return found->second;
}

MissClass parse_miss_class(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [miss, known] : kNames) {
    if (name == known) return miss;
    names.emplace_back(known);
  }
  throw DataError(fmt::format("reading a record: there is no miss class '{}'{} (classes: {})",
                              valid_utf8(name), did_you_mean(name, names), fmt::join(names, ", ")));
}

bool contains_value(std::string_view text) {
  const auto numbers = separate_runs(text, is_digit);
  if (std::any_of(numbers.begin(), numbers.end(), is_number)) return true;
  const auto uuids = separate_runs(text, is_hex_or_hyphen);
  return std::any_of(uuids.begin(), uuids.end(), is_uuid);
}

bool is_thinking(std::string_view output) {
  const std::size_t begin = output.rfind(kThoughtBegin);
  const std::size_t end = output.rfind(kThoughtEnd);
  return begin != output.npos && (end == output.npos || end < begin);
}

std::string_view answer_after_thought(std::string_view output) {
  const std::size_t end = output.rfind(kThoughtEnd);
  if (is_thinking(output)) return {};
  return end == output.npos ? output : output.substr(end + kThoughtEnd.size());
}

std::size_t matching_prefix(std::string_view output, std::string_view expected) {
  constexpr std::size_t kShortestRun = 3;
  const bool number = std::all_of(expected.begin(), expected.end(), is_digit);
  const std::string text = to_lower(output), value = to_lower(expected);
  for (auto run : separate_runs(text, number ? is_digit : is_hex_or_hyphen)) {
    run.remove_prefix(std::min(run.find_first_not_of('-'), run.size()));
    // Some words are runs of hex digits ("added"); the start of a UUID nearly always has a decimal
    // digit.
    const bool has_digit = std::any_of(run.begin(), run.end(), is_digit);
    if (run.size() < kShortestRun || !has_digit) continue;
    const auto end = std::mismatch(run.begin(), run.end(), value.begin(), value.end()).first;
    return static_cast<std::size_t>(end - run.begin());
  }
  return 0;
}

MissClass classify(const ScoringInput& answer) {
  check(answer.expected != nullptr, "an answer is classified without what was expected");
  const auto& expected = *answer.expected;
  if (strip(answer.output).empty()) return MissClass::kEmpty;
  const std::string_view text = answer_after_thought(answer.output);
  const bool answered = !strip(text).empty();
  if (answered && string_match_all(text, expected) == 1.0) return MissClass::kHit;
  const bool in_thought = text.size() < answer.output.size() && !expected.empty() &&
                          string_match_all(answer.output, expected) == 1.0;
  if (in_thought) return MissClass::kAnswerInThought;
  if (answered) return classify_miss(text, answer);
  if (is_thinking(answer.output)) return MissClass::kStillThinking;
  return answer.hit_token_limit ? MissClass::kOutOfTokens : MissClass::kEmpty;
}

}  // namespace niah::tasks
