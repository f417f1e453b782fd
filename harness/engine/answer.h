// An engine's answer to a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "harness/engine/request.h"

namespace niah {

/// Which request of a list was answered, and by which variant of the group: both as indices.
struct AnswerId {
  std::size_t request = 0;
  std::size_t variant = 0;
};

/// Why there is no answer. This never counts as a wrong answer.
struct Failure {
  std::string outcome;  ///< one word: "oom", "not_finite", "failed", or one of the engine's own
  std::string detail;   ///< one line
  /// Nothing was computed for it, and there may be memory when less runs at the same time.
  bool is_worth_another_try = false;
};

/// One variant's answer to one request. Without a failure, every field is set except what this
/// engine cannot know.
struct Answer {
  AnswerId id;
  std::optional<Failure> failure{};
  std::string text{};      ///< what was generated, without an end-of-text token; always UTF-8
  TokenIds ids{};          ///< the same in ids; empty where only the text is known
  bool hit_limit = false;  ///< it ended because there was no more room
  /// Log-probability of the expected answer (natural logarithm, summed over its tokens), and the
  /// worst rank of any of its tokens (1: the most likely). Nullopt when the engine does not give
  /// them.
  std::optional<double> log_prob{};
  std::optional<std::int64_t> rank{};
  /// Whether the same request, sent again right after, got the same answer. Nullopt when it was not
  /// sent again, or the second answer failed.
  std::optional<bool> same_again{};
  std::string again_failed{};  ///< why that second request got no answer; empty: it got one
  std::string answered_by{};   ///< the model, as a server names it in its answer; empty: not told
  std::int64_t computed_tokens = 0;  ///< of prompt and answer; a shared prefix counts once
  double seconds = 0;                ///< wall time spent on it
};

/// Receives answers as they come, from any thread. An exception from it ends the list.
using AnswerSink = std::function<void(const Answer&)>;

}  // namespace niah
