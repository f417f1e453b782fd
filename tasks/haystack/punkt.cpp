#include "tasks/haystack/punkt.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "harness/base/code_points.h"
#include "harness/base/utf8.h"
#include "tasks/haystack/punkt_parameters.h"
#include "tasks/haystack/punkt_tokens.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

/// A range of bytes. While slices are being made begin > end can happen; it means "empty".
struct Slice {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A . ? or ! that may end a sentence.
struct Candidate {
  std::size_t at = 0;         ///< position of the character
  std::size_t after_end = 0;  ///< end of what follows: one punctuation mark, or space and a word
  std::size_t next = 0;       ///< where the next sentence would start
  std::size_t word = 0;       ///< where the word before it starts
};

std::size_t skip(std::string_view text, std::size_t at, bool spaces) {
  while (at < text.size()) {
    const PunktChar c = punkt_char(text, at);
    if (((c.flags & kSpace) != 0) != spaces) break;
    at += c.length;
  }
  return at;
}

/// The candidate at `at`, or nothing when neither punctuation nor white space and a word follow.
std::optional<Candidate> candidate_at(std::string_view text, std::size_t at) {
  const std::size_t after = at + 1;
  if (after >= text.size()) return std::nullopt;
  const PunktChar c = punkt_char(text, after);
  if (c.flags & kNonWord) return Candidate{at, after + c.length, after, 0};
  if (!(c.flags & kSpace)) return std::nullopt;
  const std::size_t next = skip(text, after, true);
  if (next >= text.size()) return std::nullopt;
  return Candidate{at, skip(text, next, false), next, 0};
}

std::size_t find_sentence_end(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] != '.' && text[at] != '?' && text[at] != '!') ++at;
  return at;
}

/// Start of the word before `candidate`: after the last ASCII white space since the previous
/// candidate, or else where the previous candidate's word starts.
std::size_t word_start(std::string_view text, const Candidate& candidate,
                       const Candidate& previous) {
  for (std::size_t i = candidate.at; i > previous.at + 1; --i) {
    if (is_ascii_white_space(text[i - 1])) return i;
  }
  return previous.word;
}

/// Whether upper or lower case says that `token` starts a sentence; nullopt when it does not tell.
std::optional<bool> starts_sentence(const PunktToken& token) {
  constexpr std::string_view kPunctuation = ";:,.!?";
  if (token.text.size() == 1 && kPunctuation.find(token.text[0]) != kPunctuation.npos) return false;
  const int context =
      PunktParameters::english().orthographic_context(token.type_without_sentence_period());
  if (token.starts_upper() && (context & kAnyLower) && !(context & kMiddleUpper)) return true;
  if (token.starts_lower() && ((context & kAnyUpper) || !(context & kBeginningLower))) return false;
  return std::nullopt;
}

/// The first pass: what follows from a token's own form.
void annotate_alone(PunktToken& token) {
  const std::string_view text = token.text;
  if (text == "." || text == "?" || text == "!") {
    token.ends_sentence = true;
    return;
  }
  if (text.size() >= 2 && text.find_first_not_of('.') == text.npos) {
    token.is_ellipsis = true;
    return;
  }
  if (!text.ends_with('.') || text.ends_with("..")) return;
  const std::string word = to_lower(text.substr(0, text.size() - 1));
  const std::string_view after_hyphen =
      std::string_view(word).substr(word.find_last_of('-') + 1);  // npos + 1 is 0
  const auto& parameters = PunktParameters::english();
  token.is_abbreviation =
      parameters.is_abbreviation(word) || parameters.is_abbreviation(after_hyphen);
  token.ends_sentence = !token.is_abbreviation;
}

/// The second pass: what follows from the next token for a token that ends in a period.
void annotate_in_context(PunktToken& token, const PunktToken& next) {
  if (!token.ends_in_period()) return;
  const auto& parameters = PunktParameters::english();
  const std::string_view type = token.type_without_period();
  const std::string_view next_type = next.type_without_sentence_period();
  if (parameters.is_collocation(type, next_type)) {
    token.ends_sentence = false;
    return;
  }
  const bool initial = token.is_initial();
  if ((token.is_abbreviation || token.is_ellipsis) && !initial) {
    const bool starter = next.starts_upper() && parameters.is_sentence_starter(next_type);
    if (starts_sentence(next) == true || starter) {
      token.ends_sentence = true;
      return;
    }
  }
  if (!initial && type != "##number##") return;
  const std::optional<bool> starts = starts_sentence(next);
  const bool always_upper = initial && !starts && next.starts_upper() &&
                            !(parameters.orthographic_context(next_type) & kAnyLower);
  if (starts == false || always_upper) token.ends_sentence = false;
}

/// Whether a sentence ends inside `context`, that is before its last token.
bool contains_sentence_end(std::string_view context, std::vector<PunktToken>& tokens) {
  tokens.clear();
  for (const auto line : split_lines(context)) {
    if (!strip(line).empty()) tokenize_line(line, tokens);
  }
  for (auto& token : tokens) annotate_alone(token);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    annotate_in_context(tokens[i], tokens[i + 1]);
    if (tokens[i].ends_sentence) return true;
  }
  return false;
}

/// Cuts the text where sentences end; closing quotes and brackets may still lead a slice.
class Slicer {
 public:
  explicit Slicer(std::string_view text) : text_(text) {}

  std::vector<Slice> slices() {
    Candidate previous;
    bool has_previous = false;
    for (std::size_t at = find_sentence_end(text_, 0); at < text_.size();
         at = find_sentence_end(text_, at + 1)) {
      auto candidate = candidate_at(text_, at);
      if (!candidate) continue;
      candidate->word = word_start(text_, *candidate, previous);
      // A candidate inside the word of the next one is dropped: in "acting!!!" the last ! counts.
      if (has_previous && previous.at <= candidate->word) decide(previous);
      previous = *candidate;
      has_previous = true;
    }
    if (has_previous) decide(previous);
    slices_.push_back({last_break_, stripped_end()});
    return std::move(slices_);
  }

 private:
  void decide(const Candidate& candidate) {
    const auto context = text_.substr(candidate.word, candidate.after_end - candidate.word);
    if (!contains_sentence_end(context, tokens_)) return;
    slices_.push_back({last_break_, candidate.at + 1});
    last_break_ = candidate.next;
  }

  /// End of the text without trailing white space.
  std::size_t stripped_end() const {
    std::size_t end = text_.size();
    while (end > 0) {
      std::size_t start = end - 1;
      while (start > 0 && !begins_code_point(text_[start])) --start;
      if (!is_python_space(code_point_at(text_, start).value)) break;
      end = start;
    }
    return end;
  }

  std::string_view text_;
  std::vector<Slice> slices_;
  std::vector<PunktToken> tokens_;
  std::size_t last_break_ = 0;
};

/// The start of a slice that belongs to the sentence before it.
struct ClosingRun {
  std::size_t length = 0;      ///< bytes of closing characters
  std::size_t with_space = 0;  ///< ... and the white space after them
};

/// The closing quotes and brackets at the start of `text`, if white space, "--" or the end follows.
std::optional<ClosingRun> closing_run(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const PunktChar c = punkt_char(text, at);
    if (!(c.flags & kClosing)) break;
    at += c.length;
  }
  if (at == 0) return std::nullopt;
  const std::size_t space_end = skip(text, at, true);
  const bool ends = space_end > at || at == text.size() || text.substr(at).starts_with("--");
  if (!ends) return std::nullopt;
  return ClosingRun{at, space_end};
}

std::string_view view(std::string_view text, const Slice& slice) {
  return slice.begin < slice.end ? text.substr(slice.begin, slice.end - slice.begin)
                                 : std::string_view();
}

/// Moves closing quotes and brackets to the sentence that they close.
std::vector<std::string_view> realign(std::string_view text, const std::vector<Slice>& slices) {
  std::vector<std::string_view> sentences;
  sentences.reserve(slices.size());
  std::size_t shift = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Slice slice{slices[i].begin + shift, slices[i].end};
    shift = 0;
    if (i + 1 < slices.size()) {
      if (const auto run = closing_run(view(text, slices[i + 1]))) {
        slice.end = slices[i + 1].begin + run->length;
        shift = run->with_space;
        sentences.push_back(view(text, slice));
        continue;
      }
    }
    if (slice.begin < slice.end) sentences.push_back(view(text, slice));
  }
  return sentences;
}

}  // namespace

std::vector<std::string_view> split_sentences(std::string_view utf8) {
  return realign(utf8, Slicer(utf8).slices());
}

}  // namespace niah::tasks
