#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "harness/base/utf8.h"
#include "models/tokenizer/char_class.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/regex.h"
#include "models/tokenizer/regex_translation.h"

namespace niah::models {
namespace {

/// Whether matches are joined with the text between them (SplitDelimiterBehavior of Hugging Face
/// tokenizers; "Removed" would lose text and is not supported).
enum class Behavior { kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct Piece {
  std::size_t end = 0;
  bool matched = false;
};

/// Joins adjacent pieces according to `behavior` and appends the ends of the resulting pieces.
void append_joined(const std::vector<Piece>& pieces, Behavior behavior, std::size_t offset,
                   std::vector<std::size_t>& ends) {
  // Whether pieces[i] and pieces[i + 1] are joined.
  const auto joins = [&](std::size_t i) {
    const bool left = pieces[i].matched, right = pieces[i + 1].matched;
    switch (behavior) {
      case Behavior::kContiguous:
        return left == right;
      case Behavior::kMergedWithPrevious:
        return right && !left;
      case Behavior::kMergedWithNext:
        return left && !right;
      case Behavior::kIsolated:
        break;
    }
    return false;
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i + 1 < pieces.size() && joins(i)) continue;
    ends.push_back(offset + pieces[i].end);
  }
}

class KnownPatternStep final : public SplitStep {
 public:
  explicit KnownPatternStep(const WordPattern& pattern) : pattern_(pattern) {}
  void append_ends(std::string_view text, std::size_t offset,
                   std::vector<std::size_t>& ends) const override {
    append_word_ends(pattern_, text, offset, ends);
  }
  bool parts(char32_t before, char32_t after) const override { return parts_words(before, after); }

 private:
  WordPattern pattern_;
};

/// Splits around the matches of `Finder`, which has for_each_match(text, visit(begin, end)).
template <typename Finder>
class MatchStep final : public SplitStep {
 public:
  MatchStep(Finder finder, Behavior behavior, bool invert)
      : finder_(std::move(finder)), behavior_(behavior), invert_(invert) {}

  void append_ends(std::string_view text, std::size_t offset,
                   std::vector<std::size_t>& ends) const override {
    std::vector<Piece> pieces;
    std::size_t done = 0;
    finder_.for_each_match(text, [&](std::size_t begin, std::size_t end) {
      if (begin > done) pieces.push_back({begin, invert_});
      pieces.push_back({end, !invert_});
      done = end;
    });
    if (done < text.size()) pieces.push_back({text.size(), invert_});
    append_joined(pieces, behavior_, offset, ends);
  }

 private:
  Finder finder_;
  Behavior behavior_;
  bool invert_;
};

/// Finds a plain string.
struct LiteralFinder {
  std::string literal;
  template <typename Visit>
  void for_each_match(std::string_view text, Visit visit) const {
    for (std::size_t at = text.find(literal); at != std::string_view::npos;
         at = text.find(literal, at + literal.size())) {
      visit(at, at + literal.size());
    }
  }
};

/// Finds every numeric character.
struct DigitFinder {
  template <typename Visit>
  void for_each_match(std::string_view text, Visit visit) const {
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint point = decode_at(text, at);
      if (char_class(point.value) == CharClass::kNumber) visit(at, at + point.size);
      at += point.size;
    }
  }
};

Behavior read_behavior(const JsonView& json) {
  static constexpr std::array kNames = {
      std::pair{"Isolated", Behavior::kIsolated},
      std::pair{"MergedWithPrevious", Behavior::kMergedWithPrevious},
      std::pair{"MergedWithNext", Behavior::kMergedWithNext},
      std::pair{"Contiguous", Behavior::kContiguous}};
  for (const auto& [name, behavior] : kNames) {
    if (json.string() == name) return behavior;
  }
  json.fail("is \"" + json.string() +
            "\", supported are Isolated, MergedWithPrevious, MergedWithNext and Contiguous");
}

Regex compile(const JsonView& pattern) {
  try {
    return Regex(translate_regex(pattern.string()));
  } catch (const std::invalid_argument& error) {
    pattern.fail(std::string("cannot be used: ") + error.what());
  }
}

std::unique_ptr<const SplitStep> make_split(const JsonView& json) {
  const Behavior behavior = read_behavior(json.at("behavior"));
  const bool invert = json.boolean_or("invert", false);
  const JsonView pattern = json.at("pattern");
  if (const auto literal = pattern.find("String")) {
    if (literal->string().empty()) literal->fail("is empty");
    return std::make_unique<MatchStep<LiteralFinder>>(LiteralFinder{literal->string()}, behavior,
                                                      invert);
  }
  const JsonView regex = pattern.at("Regex");
  const auto known = find_word_pattern(regex.string());
  if (known && behavior == Behavior::kIsolated) return std::make_unique<KnownPatternStep>(*known);
  return std::make_unique<MatchStep<Regex>>(compile(regex), behavior, invert);
}

}  // namespace

std::unique_ptr<const SplitStep> make_split_step(const JsonView& json) {
  if (json.at("type").string() == "Split") return make_split(json);
  const bool individual = json.boolean_or("individual_digits", false);
  return std::make_unique<MatchStep<DigitFinder>>(
      DigitFinder{}, individual ? Behavior::kIsolated : Behavior::kContiguous, false);
}

std::unique_ptr<const SplitStep> make_split_step(const WordPattern& pattern) {
  return std::make_unique<KnownPatternStep>(pattern);
}

}  // namespace niah::models
