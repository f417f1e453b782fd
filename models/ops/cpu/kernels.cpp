// Compiled once for each instruction set, which NIAH_INSTRUCTION_SET names.
#include "models/ops/cpu/kernels.h"

#include "models/ops/cpu/channel_delta_rule.h"
#include "models/ops/cpu/elementwise.h"
#include "models/ops/cpu/linear_attention.h"
#include "models/ops/cpu/row_products.h"
#include "models/ops/cpu/softmax_attention.h"

namespace niah::models::cpu {
inline namespace NIAH_INSTRUCTION_SET {

template <typename T>
constexpr TypedKernels<T> kTyped = {rms_norm<T>,        rotary<T>,    silu_product<T>,
                                    sigmoid_product<T>, lightning<T>, row_products<T>,
                                    attention<T>};

const Kernels& table() {
  static constexpr Kernels kTable = {kTyped<float>, kTyped<BFloat16>, delta_rule,
                                     channel_delta_rule, kWidth};
  return kTable;
}

}  // namespace NIAH_INSTRUCTION_SET
}  // namespace niah::models::cpu
