#include <ATen/Version.h>

#include <string>

#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {

// Defined in kernels.cpp, which is compiled once per instruction set.
namespace baseline {
const Kernels& table();
}
#ifdef NIAH_X86_KERNELS
namespace avx2 {
const Kernels& table();
}
namespace avx512 {
const Kernels& table();
}
#endif

const Kernels& kernels() {
#ifdef NIAH_X86_KERNELS
  // The choice of libtorch, which can be overridden by ATEN_CPU_CAPABILITY.
  static const std::string capability = at::get_cpu_capability();
  if (capability == "AVX512") return avx512::table();
  if (capability == "AVX2") return avx2::table();
#endif
  return baseline::table();
}

}  // namespace niah::models::cpu
