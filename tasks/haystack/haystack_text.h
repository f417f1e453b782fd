// The text that fills haystacks. It is tokenized once, after which the count of any part is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/token_counter.h"

namespace niah::tasks {

/// Units (sentences or lines) joined by a separator, which may be empty. Grows by append(); once
/// cells share it, it is only read, so any number of threads may use it.
class HaystackText {
 public:
  /// A place in a unit where the text may be cut.
  struct SplitPoint {
    std::int64_t unit = 0;
    std::size_t offset = 0;
    std::int64_t tokens = 0;  ///< from the first such place to this one
  };

  HaystackText(std::string separator, TokenCounter counter);

  void append(std::string_view unit);

  std::int64_t size() const { return static_cast<std::int64_t>(ends_.size()); }
  const std::string& separator() const { return separator_; }
  const TokenCounter& counter() const { return counter_; }

  /// Units begin .. end-1, joined.
  std::string_view text(std::int64_t begin, std::int64_t end) const;
  /// The text from unit `begin` up to the cut, and from the cut to the end of unit `end`-1.
  std::string_view text_before(std::int64_t begin, const SplitPoint& cut) const;
  std::string_view text_after(const SplitPoint& cut, std::int64_t end) const;

  /// First and last cut in units begin .. end-1; null when there is none. The tokens between two
  /// cuts are exact when the counter's counts add.
  const SplitPoint* first_cut(std::int64_t begin, std::int64_t end) const;
  const SplitPoint* last_cut(std::int64_t begin, std::int64_t end) const;

  /// About how many tokens the first `units` units take.
  std::int64_t estimate_tokens(std::int64_t units) const;
  /// About how many leading units take `tokens` tokens: 0 .. size().
  std::int64_t estimate_units(std::int64_t tokens) const;

 private:
  std::size_t begin_of(std::int64_t unit) const;
  std::size_t end_of(std::int64_t unit) const { return ends_[static_cast<std::size_t>(unit)]; }
  std::size_t find_cut(std::size_t unit_begin) const;

  std::string separator_;
  TokenCounter counter_;
  std::string text_;
  std::vector<std::size_t> ends_;  ///< end of each unit in text_
  std::vector<SplitPoint> cuts_;   ///< at most one per unit
};

}  // namespace niah::tasks
