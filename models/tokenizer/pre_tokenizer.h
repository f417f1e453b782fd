// Splitting a text into the words (pre-tokens) that a BPE model encodes one by one.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "models/tokenizer/json_view.h"
#include "models/tokenizer/word_pattern.h"

namespace niah::models {

/// One step of splitting.
class SplitStep {
 public:
  virtual ~SplitStep() = default;
  /// Appends `offset` + the end of every piece of `text`, in order, up to the end of the text.
  virtual void append_ends(std::string_view text, std::size_t offset,
                           std::vector<std::size_t>& ends) const = 0;
  /// Whether every text is split between these two adjacent characters, and the pieces on each side
  /// do not depend on the other side. False if unknown.
  virtual bool parts(char32_t /*before*/, char32_t /*after*/) const { return false; }
};

/// The pre_tokenizer of a tokenizer file: steps, each of which splits the pieces of the previous
/// one.
class PreTokenizer {
 public:
  /// Reads the "pre_tokenizer" object of a tokenizer.json: ByteLevel, or a Sequence of Split and
  /// Digits that ends with ByteLevel. Throws DataError naming the JSON path of anything else.
  explicit PreTokenizer(const JsonView& json);
  /// A single step with a known pattern.
  PreTokenizer(const WordPattern& pattern, bool add_prefix_space);

  /// Whether a space must be prepended to a text that does not begin with one.
  bool add_prefix_space() const { return add_prefix_space_; }

  /// The end of every word of `text` in bytes, in order. The text must be well-formed UTF-8 and
  /// already have its prefix space.
  std::vector<std::size_t> word_ends(std::string_view text) const;

  /// Like SplitStep::parts, for all steps together.
  bool parts(char32_t before, char32_t after) const;

 private:
  void add_step(const JsonView& json);
  void add_byte_level(const JsonView& json);

  std::vector<std::unique_ptr<const SplitStep>> steps_;
  bool add_prefix_space_ = false;
  bool byte_level_ = false;
};

/// Makes the step that a "Split" or "Digits" object describes. Throws DataError naming the JSON
/// path of anything not supported.
std::unique_ptr<const SplitStep> make_split_step(const JsonView& json);

/// Makes a step that splits by a known pattern.
std::unique_ptr<const SplitStep> make_split_step(const WordPattern& pattern);

}  // namespace niah::models
