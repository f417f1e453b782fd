// Does this engine compute the same model as the reference implementation?
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
  /// at each of its steps, [n]; undefined where they were not recorded.
  at::Tensor greedy_ids, greedy_margin;
};

/// Reads a golden file. Throws DataError naming missing or mis-shaped entries.
Golden read_golden(const std::filesystem::path& path);

/// Which positions of logits [P, vocab] are clear: their two best are further apart than 10 times
/// `mean_difference`, so that even lower precision must agree. Bool [P].
at::Tensor clear_positions(const at::Tensor& logits, double mean_difference);

struct VerifyResult {
  double prefill_max_abs_diff = 0;
  double decode_max_abs_diff = 0;
  double argmax_agreement = 0;  ///< part of all compared positions with the same best token
  /// The same where the reference's two best logits are further apart than 10 times the mean
  /// difference: there even lower precision must agree.
  double clear_argmax_agreement = 0;
  double mean_abs_diff = 0;
  /// How many tokens of the recorded greedy continuation come out the same before the first that
  /// does not, and how many were recorded. A first difference where the reference's margin is below
  /// 0.001 ends the comparison and does not count.
  std::int64_t greedy_equal = 0, greedy_compared = 0;
  std::int64_t positions = 0;
};

/// Runs the golden's ids through the model: prefill in pieces of `chunk` tokens (0: whole) against
/// `logits`, then a prefill of T0 and single tokens against `decode_logits`. Throws DataError when
/// vocabulary sizes differ or a logit is not finite.
VerifyResult verify(CausalLM& model, const Golden& golden, std::int64_t chunk);

}  // namespace niah::models
