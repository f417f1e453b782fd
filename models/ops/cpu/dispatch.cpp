#include <ATen/Version.h>

#include <cstdlib>
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
#ifdef NIAH_BF16_KERNELS
namespace avx512_bf16 {
const Kernels& table();
}
#endif
#endif

namespace {

enum class InstructionSet { kBaseline, kAvx2, kAvx512, kAvx512Bf16 };

#ifdef NIAH_X86_KERNELS
/// Whether there are kernels for this processor's products of bf16 numbers.
bool multiplies_bf16() {
#ifdef NIAH_BF16_KERNELS
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}
#endif

InstructionSet find_instruction_set() {
#ifdef NIAH_X86_KERNELS
  // The choice of libtorch, which ATEN_CPU_CAPABILITY can override: then it is exactly what it
  // names.
  const std::string capability = at::get_cpu_capability();
  const bool is_named = std::getenv("ATEN_CPU_CAPABILITY") != nullptr;
  if (capability == "AVX512")
    return !is_named && multiplies_bf16() ? InstructionSet::kAvx512Bf16 : InstructionSet::kAvx512;
  if (capability == "AVX2") return InstructionSet::kAvx2;
#endif
  return InstructionSet::kBaseline;
}

InstructionSet instruction_set() {
  static const InstructionSet found = find_instruction_set();
  return found;
}

}  // namespace

const Kernels& kernels() {
  switch (instruction_set()) {
#ifdef NIAH_BF16_KERNELS
    case InstructionSet::kAvx512Bf16:
      return avx512_bf16::table();
#endif
#ifdef NIAH_X86_KERNELS
    case InstructionSet::kAvx512:
      return avx512::table();
    case InstructionSet::kAvx2:
      return avx2::table();
#endif
    default:
      return baseline::table();
  }
}

std::string capability() {
  const std::string general = at::get_cpu_capability();
  return instruction_set() == InstructionSet::kAvx512Bf16 ? general + "_BF16" : general;
}

}  // namespace niah::models::cpu
