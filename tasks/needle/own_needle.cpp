#include "tasks/needle/own_needle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "harness/base/sha256.h"
#include "tasks/needle/tokens.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

bool has_mark(std::string_view text, std::string_view mark) { return text.find(mark) != text.npos; }

/// `words` with its marks replaced, but none in what replaces them.
std::string filled(std::string_view words, std::string_view key, std::string_view value) {
  std::string text;
  while (!words.empty()) {
    if (words.starts_with(kKeyMark)) {
      text += key;
      words.remove_prefix(kKeyMark.size());
    } else if (words.starts_with(kValueMark)) {
      text += value;
      words.remove_prefix(kValueMark.size());
    } else {
      text += words.front();
      words.remove_prefix(1);
    }
  }
  return text;
}

/// The sentences of a sample, with their marks.
std::vector<std::string> all_sentences(const OwnNeedle& needle) {
  std::vector<std::string> sentences(static_cast<std::size_t>(needle.needles), needle.text);
  sentences.insert(sentences.end(), needle.distractors.begin(), needle.distractors.end());
  return sentences;
}

int count_marked(const OwnNeedle& needle, std::string_view mark) {
  const auto sentences = all_sentences(needle);
  return static_cast<int>(std::count_if(sentences.begin(), sentences.end(),
                                        [&](const auto& one) { return has_mark(one, mark); }));
}

std::vector<std::string> draw(const TokenSource& source, int count, CounterRng& random) {
  if (source.list.empty()) return draw_tokens(random, source.type, count);
  std::vector<std::string> tokens;
  for (const std::int64_t i : random.distinct(count, std::ssize(source.list)))
    tokens.push_back(source.list[static_cast<std::size_t>(i)]);
  return tokens;
}

/// A token for each sentence that has the mark, and nothing for the others.
std::vector<std::string> draw_for(const std::vector<std::string>& sentences, std::string_view mark,
                                  const TokenSource& source, int count, CounterRng& random) {
  const auto drawn = draw(source, count, random);
  std::vector<std::string> tokens;
  std::size_t next = 0;
  for (const std::string& sentence : sentences)
    tokens.push_back(has_mark(sentence, mark) ? drawn[next++] : "");
  return tokens;
}

}  // namespace

Task OwnNeedle::task() const {
  return {.name = name,
          .haystack = HaystackType::kText,
          .keys = needles + static_cast<int>(distractors.size()),
          .queries = needles};
}

int OwnNeedle::keys_in_sample() const { return count_marked(*this, kKeyMark); }

int OwnNeedle::values_in_sample() const { return count_marked(*this, kValueMark); }

std::string OwnNeedle::identity() const {
  // No separator that the parts could hold: each comes after its length.
  std::string all;
  const auto add = [&](std::string_view part) { all += fmt::format("{}:{}", part.size(), part); };
  for (const std::string* part : {&intro, &text, &question, &answer, &separator}) add(*part);
  for (const TokenSource* source : {&keys, &values}) {
    add(fmt::format("{} {}", static_cast<int>(source->type), source->list.size()));
    for (const std::string& token : source->list) add(token);
  }
  add(fmt::format("{} {}", needles, distractors.size()));
  for (const std::string& distractor : distractors) add(distractor);
  return fmt::format("{} {}", name, sha256_hex(all).substr(0, 16));
}

OwnSample draw_own_sample(const OwnNeedle& needle, CounterRng& random) {
  const auto sentences = all_sentences(needle);
  const auto keys = draw_for(sentences, kKeyMark, needle.keys, needle.keys_in_sample(), random);
  const auto values =
      draw_for(sentences, kValueMark, needle.values, needle.values_in_sample(), random);

  OwnSample sample;
  for (std::size_t i = 0; i < sentences.size(); ++i)
    sample.sentences.push_back(filled(sentences[i], keys[i], values[i]));
  sample.outputs.assign(values.begin(), values.begin() + needle.needles);
  if (has_mark(needle.text, kKeyMark))
    sample.key =
        fmt::format("{}", fmt::join(keys.begin(), keys.begin() + needle.needles, needle.separator));
  if (!needle.intro.empty()) sample.head = filled(needle.intro, sample.key, "") + "\n";
  sample.tail = "\n" + filled(needle.question, sample.key, "");
  sample.prefix = filled(needle.answer, sample.key, "");
  return sample;
}

std::string_view value_in_text(const OwnNeedle& needle, std::string_view text) {
  if (needle.values.list.empty()) return {};
  const std::string lower = to_lower(text);
  for (const std::string& value : needle.values.list)
    if (lower.find(to_lower(value)) != lower.npos) return value;
  return {};
}

}  // namespace niah::tasks
