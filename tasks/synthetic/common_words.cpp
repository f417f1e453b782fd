#include "tasks/synthetic/common_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "harness/base/error.h"
#include "tasks/data/embedded.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

constexpr std::int64_t kCommonWordsRoom = 120;
constexpr std::int64_t kCommon = 10;
constexpr std::int64_t kWordStep = 10;
/// Seeds the order of the words in lm-eval, whatever the run's seed is.
constexpr std::uint64_t kListSeed = 42;
constexpr std::string_view kListHead =
    "Below is a numbered list of words. In these words, some appear more often than others. "
    "Memorize the ones that appear most often.\n";
constexpr std::string_view kListQuestion =
    "\nQuestion: What are the 10 most common words in the above list?";
constexpr std::string_view kListPrefix =
    "Answer: The top 10 words that appear most often in the list are:";

using Words = std::vector<std::string_view>;

/// Nouns, adjectives and verbs of wonderwords, each once, sorted. Some lines of the packaged lists
/// end in a space, which wonderwords strips.
Words sorted_words() {
  Words words;
  for (const auto lines : {data::nouns(), data::adjectives(), data::verbs()}) {
    for (const std::string_view line : split_lines(lines))
      words.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

/// All words, shuffled by `random`.
Words shuffled_words(CPythonRandom& random) {
  Words words = sorted_words();
  random.shuffle(words);
  return words;
}

/// How often words are in a list.
struct Repeats {
  int common = 0;
  int others = 0;
};

/// The repeats of the worked example and of the list that is asked about, and the example's words.
struct Sizes {
  std::int64_t example_words = 0;
  Repeats example;
  Repeats list;
};

Sizes sizes_at(std::int64_t length) {
  if (length < 4096) return {20, {3, 1}, {6, 1}};
  return {40, {10, 3}, {30, 3}};
}

/// "1. a 2. b"
std::string numbered(const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += fmt::format("{}{}. {}", i == 0 ? "" : " ", i + 1, words[i]);
  }
  return text;
}

/// A list, and the words that are in it most often.
struct WordList {
  std::string text;
  Words common;
};

WordList draw_list(const Words& words, std::int64_t count, Repeats repeats, CPythonRandom& random,
                   CPythonRandom& shuffles) {
  Words drawn;
  for (const std::size_t i : random.sample(words.size(), static_cast<std::size_t>(count)))
    drawn.push_back(words[i]);
  const auto others = drawn.begin() + std::min(kCommon, count);
  Words list;
  for (int i = 0; i < repeats.common; ++i) list.insert(list.end(), drawn.begin(), others);
  for (int i = 0; i < repeats.others; ++i) list.insert(list.end(), others, drawn.end());
  shuffles.shuffle(list);
  return {numbered(list), Words(drawn.begin(), others)};
}

SyntheticDraft draft_of(WordList list, std::int64_t words) {
  SyntheticDraft draft;
  draft.head = kListHead;
  draft.context = std::move(list.text);
  draft.tail = kListQuestion;
  draft.gen_prefix = kListPrefix;
  draft.outputs.assign(list.common.begin(), list.common.end());
  draft.units = words;
  return draft;
}

/// Python's a // b of two positive numbers.
std::int64_t floor_quotient(double a, double b) { return std::llround((a - std::fmod(a, b)) / b); }

/// The worked example with its answer after `joint`.
std::string worked_example(const WordList& list, std::string_view joint) {
  return fmt::format("{}{}{} {}{}{}\n", kListHead, list.text, kListQuestion, kListPrefix, joint,
                     numbered(list.common));
}

class LmEvalCommonWords final : public SyntheticProgram {
 public:
  explicit LmEvalCommonWords(SyntheticRequest request) : request_(std::move(request)) {
    CPythonRandom random(kListSeed);
    words_ = shuffled_words(random);
  }

  std::int64_t find_size(ReferenceStreams& streams) const override {
    // Text and answer are sized after a worked example, which no sample has.
    const auto length_of = [&](std::int64_t units) {
      const auto example = draw_example(streams);
      const SyntheticDraft draft = draw(units, streams);
      const Words answer(draft.outputs.begin(), draft.outputs.end());
      return count(fmt::format("{}{} {}", worked_example(example, ""), draft.text(),
                               numbered(answer))) +
             kCommonWordsRoom;
    };
    return grow_size(length_of, request_.cell.length, kWordStep,
                     static_cast<std::int64_t>(words_.size()));
  }

  std::optional<SyntheticDraft> make(std::int64_t units, ReferenceStreams& streams) const override {
    draw_example(streams);
    if (units < kCommon) return std::nullopt;  // the program would ask for no word at all
    return draw(units, streams);
  }

  std::int64_t length(const SyntheticDraft& draft) const override {
    return count(draft.text()) + kCommonWordsRoom;
  }

  std::int64_t limit() const override { return request_.cell.length; }
  std::int64_t step() const override { return kWordStep; }

 private:
  std::int64_t count(std::string_view text) const { return request_.counter.count(text); }

  WordList draw_example(ReferenceStreams& streams) const {
    const Sizes sizes = sizes_at(request_.cell.length);
    return draw_list(words_, sizes.example_words, sizes.example, streams.random, streams.shuffles);
  }

  SyntheticDraft draw(std::int64_t units, ReferenceStreams& streams) const {
    const Sizes sizes = sizes_at(request_.cell.length);
    return draft_of(draw_list(words_, units, sizes.list, streams.random, streams.shuffles), units);
  }

  SyntheticRequest request_;
  Words words_;
};

class RulerCommonWords final : public SyntheticProgram {
 public:
  explicit RulerCommonWords(SyntheticRequest request) : request_(std::move(request)) {
    CPythonRandom random(request_.seed);
    words_ = shuffled_words(random);
  }

  std::int64_t find_size(ReferenceStreams& streams) const override {
    constexpr std::int64_t kFirstTry = 4096;
    const auto length_of = [&](std::int64_t units) { return length(draw(units, streams)); };
    const auto tokens = static_cast<double>(length_of(kFirstTry) - kCommonWordsRoom);
    const double per_word = tokens / static_cast<double>(kFirstTry);
    const std::int64_t high =
        2 * floor_quotient(static_cast<double>(request_.cell.length), per_word);
    return bisect_size(length_of, request_.cell.length, kWordStep, std::max(high, 2 * kWordStep));
  }

  std::optional<SyntheticDraft> make(std::int64_t units, ReferenceStreams& streams) const override {
    return draw(units, streams);
  }

  std::int64_t length(const SyntheticDraft& draft) const override {
    return request_.counter.count_bare(draft.text()) + kCommonWordsRoom;
  }

  std::int64_t limit() const override { return request_.cell.length; }
  std::int64_t step() const override { return kWordStep; }

 private:
  SyntheticDraft draw(std::int64_t units, ReferenceStreams& streams) const {
    const Sizes sizes = sizes_at(request_.cell.length);
    const WordList example = list(sizes.example_words, sizes.example, streams);
    SyntheticDraft draft = draft_of(list(units, sizes.list, streams), units);
    draft.lead = worked_example(example, " ");
    return draft;
  }

  WordList list(std::int64_t count, Repeats repeats, ReferenceStreams& streams) const {
    if (count > static_cast<std::int64_t>(words_.size())) {
      throw never_fits(request_,
                       fmt::format("RULER tries a list of {} words there; those of more than {} it "
                                   "takes from its english_words.json, which this program has not "
                                   "(smaller lengths need none)",
                                   count, words_.size()));
    }
    CPythonRandom shuffles(request_.seed);
    return draw_list(words_, count, repeats, streams.random, shuffles);
  }

  SyntheticRequest request_;
  Words words_;
};

}  // namespace

std::unique_ptr<const SyntheticProgram> lm_eval_common_words(const SyntheticRequest& request) {
  return std::make_unique<LmEvalCommonWords>(request);
}

std::unique_ptr<const SyntheticProgram> ruler_common_words(const SyntheticRequest& request) {
  return std::make_unique<RulerCommonWords>(request);
}

CPythonRandom lm_eval_word_shuffles() {
  CPythonRandom random(kListSeed);
  shuffled_words(random);
  return random;
}

std::int64_t common_word_count() { return static_cast<std::int64_t>(sorted_words().size()); }

}  // namespace niah::tasks
