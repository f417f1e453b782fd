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
};

/// Reads a golden file. Throws DataError naming missing or mis-shaped entries.
Golden read_golden(const std::filesystem::path& path);

struct VerifyResult {
  double prefill_max_abs_diff = 0;
  double decode_max_abs_diff = 0;
  double argmax_agreement = 0;  ///< part of all compared positions with the same best token
  /// The same where the reference's two best logits are further apart than 10 times the mean
  /// difference: there even lower precision must agree.
  double clear_argmax_agreement = 0;
  double mean_abs_diff = 0;
  std::int64_t positions = 0;
};

/// Runs the golden's ids through the model: prefill in pieces of `chunk` tokens (0: whole) against
/// `logits`, then a prefill of T0 and single tokens against `decode_logits`. Throws DataError when
/// vocabulary sizes differ or a logit is not finite.
VerifyResult verify(CausalLM& model, const Golden& golden, std::int64_t chunk);

}  // namespace niah::models
