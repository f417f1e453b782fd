// Greedy decoding, and how probable the expected answer was.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/reader.h"

namespace niah::models {

/// When to stop, and what is expected.
struct DecodeOptions {
  std::int64_t max_new_tokens = 128;
  std::vector<std::int64_t> eos_ids;
  /// The expected answer's tokens. They are scored, and serve as a draft: positions where the
  /// model's own greedy choice is the drafted token are decided in one pass. The output is the
  /// greedy one whatever the draft is.
  std::vector<std::int64_t> draft;
  /// The whole prompt, its tail included: what it and the output already said serves as a draft
  /// where they repeat themselves. Must outlive the call. Empty: one pass a token behind the first
  /// draft.
  std::span<const std::int64_t> prompt{};
  /// Whether no later token can change the outcome; asked with the ids generated so far. Empty:
  /// never.
  std::function<bool(const std::vector<std::int64_t>&)> decided;
  /// Whether another token is one too many, besides max_new_tokens; asked with the ids generated so
  /// far, once for each further token. Empty: never.
  std::function<bool(const std::vector<std::int64_t>&)> exhausted{};
};

struct Generation {
  std::vector<std::int64_t> ids;  ///< without the end-of-text token
  bool hit_limit = false;         ///< stopped by max_new_tokens or `exhausted`
  bool finite = true;             ///< false: a logit was NaN or infinite, nothing below holds
  std::int64_t computed_tokens = 0;
  std::int64_t passes = 0;                 ///< through the model
  std::optional<double> draft_log_prob;    ///< natural log, sum over the draft
  std::optional<std::int64_t> draft_rank;  ///< worst rank of a draft token, 1 = best
};

/// Continues greedily for one variant of `reader`, which must stand before the prompt's last tokens
/// `tail` (at least one). Leaves the reader further on; rewind it.
Generation decode_greedy(Reader& reader, std::size_t variant, const std::vector<std::int64_t>& tail,
                         const DecodeOptions& options);

}  // namespace niah::models
