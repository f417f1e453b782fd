// Compiled regular expressions (PCRE2), for the patterns that tokenizer files bring along.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace niah::models {

/// A compiled pattern. Immutable; may be used from several threads at once.
class Regex {
 public:
  /// Compiles a PCRE2 pattern for UTF-8 with Unicode properties. Throws std::invalid_argument with
  /// the library's reason, or when the pattern can match the empty string.
  explicit Regex(std::string_view pattern);
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
