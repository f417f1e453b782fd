#include <ATen/Version.h>

#include <string>

#include "models/ops/cpu/kernels.h"

namespace niah::models::cpu {

// One definition each, in kernels.cpp.
namespace baseline {
template <typename T>
const Kernels<T>& table();
}
#ifdef NIAH_X86_KERNELS
namespace avx2 {
template <typename T>
const Kernels<T>& table();
}
namespace avx512 {
template <typename T>
const Kernels<T>& table();
}
#endif

template <typename T>
const Kernels<T>& kernels() {
#ifdef NIAH_X86_KERNELS
  // libtorch's own choice, which ATEN_CPU_CAPABILITY overrides.
  static const std::string capability = at::get_cpu_capability();
  if (capability == "AVX512") return avx512::table<T>();
  if (capability == "AVX2") return avx2::table<T>();
#endif
  return baseline::table<T>();
}

template const Kernels<float>& kernels<float>();
template const Kernels<c10::BFloat16>& kernels<c10::BFloat16>();

}  // namespace niah::models::cpu
