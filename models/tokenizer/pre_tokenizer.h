// Cuts a text into the words that a BPE model encodes one by one.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "models/tokenizer/json_view.h"
#include "models/tokenizer/word_pattern.h"

namespace niah::models {

/// One step of cutting.
class SplitStep {
 public:
  virtual ~SplitStep() = default;
  /// Appends `offset` + the end of every piece of `text`, in order; the last is the end of the
  /// text.
  virtual void append_ends(std::string_view text, std::size_t offset,
                           std::vector<std::size_t>& ends) const = 0;
  /// Whether a cut between the two characters is certain and the pieces on either side do not
  /// depend on the other side.
  virtual bool parts(char32_t /*before*/, char32_t /*after*/) const { return false; }
};

/// A tokenizer file's pre_tokenizer: steps that cut finer and finer.
class PreTokenizer {
 public:
  /// Reads the "pre_tokenizer" of a tokenizer.json: ByteLevel, Split and Digits, or a Sequence of
  /// them that ends with ByteLevel. Throws DataError naming the JSON path of anything else.
  explicit PreTokenizer(const JsonView& json);
  /// One known pattern.
  PreTokenizer(const WordPattern& pattern, bool add_prefix_space);

  /// Whether a text that does not begin with a space gets one before it is cut.
  bool add_prefix_space() const { return add_prefix_space_; }

  /// The end of every word of `text`, in order, in bytes. The text must be well-formed UTF-8 and
  /// have its prefix space.
  std::vector<std::size_t> word_ends(std::string_view text) const;

  /// Whether a text can certainly be cut between two characters; see SplitStep::parts.
  bool parts(char32_t before, char32_t after) const;

 private:
  void add_step(const JsonView& json);
  void add_byte_level(const JsonView& json);

  std::vector<std::unique_ptr<const SplitStep>> steps_;
  bool add_prefix_space_ = false;
  bool byte_level_ = false;
};

/// Makes the step that a "Split" or "Digits" pre-tokenizer asks for. Throws DataError naming the
/// JSON path of what is not supported.
std::unique_ptr<const SplitStep> make_split_step(const JsonView& json);

/// The step of a pattern that is known as code.
std::unique_ptr<const SplitStep> make_split_step(const WordPattern& pattern);

}  // namespace niah::models
