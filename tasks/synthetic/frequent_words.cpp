#include "tasks/synthetic/frequent_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <utility>

#include "harness/base/error.h"

namespace niah::tasks {
namespace {

constexpr std::int64_t kFrequentWordsRoom = 50;
constexpr std::int64_t kWordLetters = 6;
constexpr std::int64_t kTokensAWord = 50;  // of the length, for each word of the vocabulary
constexpr std::int64_t kAsked = 3;
/// Seeds the order of the words in lm-eval, whatever the run's seed is.
constexpr std::uint64_t kVocabularySeed = 42;
/// The most frequent word, which is not asked for.
constexpr std::string_view kNoise = "...";
constexpr std::string_view kCodedHead =
    "Read the following coded text and track the frequency of each coded word. Find the three most "
    "frequently appeared coded words. ";
constexpr std::string_view kCodedQuestion =
    "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are the three "
    "most frequently appeared words in the above coded text?";
constexpr std::string_view kCodedPrefix =
    "Answer: According to the coded text above, the three most frequently appeared words are:";

using Vocabulary = std::vector<std::string>;

/// How often the word of that rank, from 1 on, is in a text of `words`: Zipf's law with exponent 2.
std::int64_t occurrences(std::int64_t words, std::size_t rank) {
  constexpr double kZeta = std::numbers::pi * std::numbers::pi / 6;
  const auto square = static_cast<double>(rank) * static_cast<double>(rank);
  return std::max<std::int64_t>(
      0, static_cast<std::int64_t>(static_cast<double>(words) * (1 / square) / kZeta));
}

/// Both programs are one, but for seed, length and what a token is.
class FrequentWords final : public SyntheticProgram {
 public:
  /// `room`: tokens that a text may have, its answer not included.
  FrequentWords(SyntheticRequest request, std::int64_t room, std::uint64_t shuffle_seed,
                bool counts_special_tokens)
      : request_(std::move(request)),
        room_(room),
        shuffle_seed_(shuffle_seed),
        special_tokens_(counts_special_tokens ? request_.counter.special_tokens() : 0) {
    if (room_ / kTokensAWord <= kAsked) {
      throw never_fits(request_,
                       fmt::format("a vocabulary of {} words is too small to ask for {}",
                                   std::max<std::int64_t>(0, room_ / kTokensAWord), kAsked));
    }
    if (tokens(draft_of({}, 0)) > room_) {
      throw never_fits(request_, "the question alone is longer");
    }
  }

  std::int64_t find_size(ReferenceStreams& streams) const override {
    const Vocabulary vocabulary = draw_vocabulary(streams);
    std::int64_t words = room_ / kWordLetters;
    while (tokens(draft_of(vocabulary, words)) < room_) words += step();
    return words - step();
  }

  std::optional<SyntheticDraft> make(std::int64_t units, ReferenceStreams& streams) const override {
    const Vocabulary vocabulary = draw_vocabulary(streams);
    SyntheticDraft draft = draft_of(vocabulary, units);
    while (takes_away() && tokens(draft) > room_) draft = draft_of(vocabulary, units -= step());
    return draft;
  }

  std::int64_t length(const SyntheticDraft& draft) const override {
    return tokens(draft) + kFrequentWordsRoom;
  }

  std::int64_t limit() const override { return room_ + kFrequentWordsRoom; }
  std::int64_t step() const override { return room_ / 32; }

 private:
  /// Both programs take words off a text that is too long. Our own protocol finds the size itself.
  bool takes_away() const { return request_.protocol != "niah"; }

  std::int64_t tokens(const SyntheticDraft& draft) const {
    return request_.counter.count_bare(draft.text()) + special_tokens_;
  }

  Vocabulary draw_vocabulary(ReferenceStreams& streams) const {
    const auto size = static_cast<std::size_t>(room_ / kTokensAWord);
    std::set<std::string> distinct;
    for (std::size_t drawn = 0; drawn < size || distinct.size() < size; ++drawn)
      distinct.insert(streams.random.letters('a', 26, kWordLetters));
    Vocabulary vocabulary(distinct.begin(), distinct.end());
    CPythonRandom(shuffle_seed_).shuffle(vocabulary);
    vocabulary.front() = kNoise;
    return vocabulary;
  }

  SyntheticDraft draft_of(const Vocabulary& vocabulary, std::int64_t words) const {
    std::vector<std::string_view> text;
    for (std::size_t i = 0; i < vocabulary.size(); ++i)
      text.insert(text.end(), static_cast<std::size_t>(occurrences(words, i + 1)), vocabulary[i]);
    CPythonRandom(shuffle_seed_).shuffle(text);
    SyntheticDraft draft;
    draft.head = kCodedHead;
    draft.context = fmt::format("{}", fmt::join(text, " "));
    draft.tail = kCodedQuestion;
    draft.gen_prefix = kCodedPrefix;
    if (vocabulary.size() > kAsked)
      draft.outputs.assign(vocabulary.begin() + 1, vocabulary.begin() + 1 + kAsked);
    draft.units = static_cast<std::int64_t>(text.size());
    return draft;
  }

  SyntheticRequest request_;
  std::int64_t room_;
  std::uint64_t shuffle_seed_;
  std::int64_t special_tokens_;
};

}  // namespace

std::unique_ptr<const SyntheticProgram> lm_eval_frequent_words(const SyntheticRequest& request) {
  // The harness keeps no room for the answer: its texts fill the whole length.
  return std::make_unique<FrequentWords>(request, request.cell.length, kVocabularySeed,
                                         /*counts_special_tokens=*/true);
}

std::unique_ptr<const SyntheticProgram> ruler_frequent_words(const SyntheticRequest& request) {
  return std::make_unique<FrequentWords>(request, request.cell.length - kFrequentWordsRoom,
                                         request.seed,
                                         /*counts_special_tokens=*/false);
}

}  // namespace niah::tasks
