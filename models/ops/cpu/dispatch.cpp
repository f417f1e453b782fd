#include <ATen/Version.h>

#include <string>

#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {

// One definition each, in kernels.cpp.
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
  // libtorch's own choice, which ATEN_CPU_CAPABILITY overrides.
  static const std::string capability = at::get_cpu_capability();
  if (capability == "AVX512") return avx512::table();
  if (capability == "AVX2") return avx2::table();
#endif
  return baseline::table();
}

}  // namespace niah::models::cpu
