// Compiled regular expressions (PCRE2), for the patterns in tokenizer files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace niah::models {

/// A compiled pattern. Immutable; may be used from several threads at once.
class Regex {
 public:
  /// Number of steps after which PCRE2 gives up a match; this is its own default match limit.
  static constexpr std::uint32_t kMostSteps = 10'000'000;

  /// Compiles a PCRE2 pattern for UTF-8 with Unicode properties. Throws std::invalid_argument with
  /// the library's reason, or if the pattern can match the empty string.
  explicit Regex(std::string_view pattern, std::uint32_t most_steps = kMostSteps);
  ~Regex();
  Regex(Regex&&) noexcept;

  /// Calls `visit(begin, end)` for all non-overlapping matches from left to right. The text must be
  /// well-formed UTF-8. Throws DataError if a match exceeds the step limit.
  void for_each_match(std::string_view text,
                      const std::function<void(std::size_t, std::size_t)>& visit) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace niah::models
