// Documents that the zoo's base model is trained on: running text, things to find again, sums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/random/counter.h"
#include "tasks/sample.h"

namespace niah::tasks {

/// A stretch of text and the weight of its tokens in the loss. A segment begins with a space or a
/// newline, or begins the document, so each can be tokenized by itself.
struct Segment {
  std::string text;
  double weight = 1;
};
using Document = std::vector<Segment>;

/// What a document trains.
enum class DocumentKind {
  kNeedle,      ///< a small haystack with needles and questions about them
  kKeyValue,    ///< a list of pairs, some asked for again
  kCopy,        ///< a passage repeated after an interruption
  kText,        ///< running text
  kArithmetic,  ///< sums and word problems
};

/// "needle", "key_value", "copy", "text", "arithmetic". Throws UsageError for another name.
DocumentKind parse_document_kind(const std::string& name);

/// Makes documents from running text. Immutable; a document is a function of the random stream.
class DocumentMaker {
 public:
  /// `sentences`: the training text in order. `count` sizes documents; it should count no special
  /// tokens.
  DocumentMaker(std::vector<std::string> sentences, const TokenCount& count);

  /// A document of about `room` tokens. Answers carry weight `answer_weight`, values inside needles
  /// 0: they cannot be predicted.
  Document make(DocumentKind kind, std::int64_t room, CounterRng& rng) const;

  const std::vector<std::string>& sentences() const { return sentences_; }

 private:
  Document needle(std::int64_t room, CounterRng& rng) const;
  Document key_value(std::int64_t room, CounterRng& rng) const;
  Document copy(std::int64_t room, CounterRng& rng) const;
  Document text(std::int64_t room, CounterRng& rng) const;
  Document arithmetic(std::int64_t room, CounterRng& rng) const;
  std::vector<std::string> passage(std::int64_t tokens, CounterRng& rng) const;

  std::vector<std::string> sentences_;
  std::vector<std::int64_t> tokens_;  ///< of " " + sentence
  TokenCount count_;
  std::int64_t line_tokens_;  ///< of "\n" + the s1 line
};

}  // namespace niah::tasks
