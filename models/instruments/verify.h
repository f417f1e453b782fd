// Does this implementation compute the same logits as the reference implementation?
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "models/causal_lm.h"

namespace niah::models {

/// Numbers recorded from a reference implementation (tests/oracle/record_golden.py).
struct Golden {
  at::Tensor input_ids;      ///< [1, T] int64
  at::Tensor logits;         ///< [1, T, vocab] fp32, one pass over all T
  at::Tensor decode_logits;  ///< [1, T-T0+1, vocab]: after T0 tokens, then one token at a time
  std::int64_t prefill_length = 0;  ///< T0
  /// Greedy continuation of the first T0 tokens, [n] int64, and the gap between the two best logits
  /// at each of its steps, [n]; undefined if not recorded.
  at::Tensor greedy_ids, greedy_margin;
};

/// Reads a golden file. Throws DataError naming missing or mis-shaped entries.
Golden read_golden(const std::filesystem::path& path);

/// The positions of logits [P, vocab] whose two best logits are further apart than 10 times
/// `mean_difference`, so that even a lower precision must agree on the best. Bool [P].
at::Tensor clear_positions(const at::Tensor& logits, double mean_difference);

/// How a model's logits compare with the recorded ones.
struct VerifyResult {
  double prefill_max_abs_diff = 0;
  double decode_max_abs_diff = 0;
  double argmax_agreement = 0;  ///< fraction of the positions with the same best token
  /// The same among the positions that are clear in the reference; see clear_positions().
  double clear_argmax_agreement = 0;
  double mean_abs_diff = 0;
  /// Tokens of the recorded greedy continuation that are reproduced, and tokens compared: up to and
  /// including the first difference. A difference where the reference's margin is below 0.001 also
  /// ends the comparison but does not count.
  std::int64_t greedy_equal = 0, greedy_compared = 0;
  std::int64_t positions = 0;  ///< number of positions compared
};

/// Runs the recorded ids through the model: prefill in chunks of `chunk` tokens (0: in one pass) is
/// compared with `logits`, then a prefill of T0 tokens and single tokens with `decode_logits`.
/// Throws DataError if the vocabulary sizes differ or a logit is not finite.
VerifyResult verify(CausalLM& model, const Golden& golden, std::int64_t chunk);

}  // namespace niah::models
