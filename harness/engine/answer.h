// What an engine says to a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "harness/engine/request.h"

namespace niah {

/// Which request of a list an answer is to, and which variant's it is, by its place in the group.
struct AnswerId {
  std::size_t request = 0;
  std::size_t variant = 0;
};

/// Why there is no answer: never counted as a wrong one.
struct Failure {
  std::string outcome;  ///< one word: "oom", "not_finite", "failed", or one of the engine's own
  std::string detail;   ///< one line
  /// Nothing was computed for it, and with less beside it there may be memory.
  bool is_worth_another_try = false;
};

/// What one variant made of one request. Without a failure all of it is known, but for what an
/// engine cannot know.
struct Answer {
  AnswerId id;
  std::optional<Failure> failure{};
  std::string text{};      ///< what was generated, without an end-of-text token; always UTF-8
  TokenIds ids{};          ///< the same in ids; empty where only the text is known
  bool hit_limit = false;  ///< it ended because there was no more room
  /// Of the expected answer: natural logarithm, summed over its tokens, and the worst rank of one
  /// of them (1: the likeliest). Nullopt where the engine does not tell them.
  std::optional<double> log_prob{};
  std::optional<std::int64_t> rank{};
  /// Whether the same request, sent once more right after, was answered alike. Nullopt where it was
  /// not, or not to an end.
  std::optional<bool> same_again{};
  std::string again_failed{};  ///< why that second request got no answer; empty: it got one
  std::string answered_by{};   ///< the model, as a server names it in its answer; empty: not told
  std::int64_t computed_tokens = 0;  ///< of prompt and answer; what requests share counts once
  double seconds = 0;                ///< wall time spent on it
};

/// Takes answers as they come, from any thread. What it throws ends the list.
using AnswerSink = std::function<void(const Answer&)>;

}  // namespace niah
