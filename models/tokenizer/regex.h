// Compiled regular expressions (PCRE2), for the patterns that tokenizer files bring along.
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
  /// Steps of one match before the library gives up, as it counts them: what it comes with.
  static constexpr std::uint32_t kMostSteps = 10'000'000;

  /// Compiles a PCRE2 pattern for UTF-8 with Unicode properties. Throws std::invalid_argument with
  /// the library's reason, or when the pattern can match the empty string.
  explicit Regex(std::string_view pattern, std::uint32_t most_steps = kMostSteps);
  ~Regex();
  Regex(Regex&&) noexcept;

  /// Calls `visit(begin, end)` for all matches from the left, none overlapping. The text must be
  /// well-formed UTF-8. Throws DataError when the library gives up (its backtracking limit).
  void for_each_match(std::string_view text,
                      const std::function<void(std::size_t, std::size_t)>& visit) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace niah::models
