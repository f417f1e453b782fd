#include "harness/engine/local/machine.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <thread>

#include "harness/base/memory.h"
#include "models/device.h"
#include "models/ops/cpu/kernels.h"
#include "models/ops/projection.h"

namespace niah {
namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

bool processor_has(std::string_view flag) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("flags"))
      return (line + " ").find(fmt::format(" {} ", flag)) != std::string::npos;
  return false;
}

at::ScalarType resolve_dtype(const std::string& name, at::Device device) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16" || !device.is_cpu()) return at::kBFloat16;
  return processor_has("avx512_bf16") || processor_has("amx_bf16") ? at::kBFloat16 : at::kFloat;
}

const char* dtype_word(const Machine& machine) {
  return machine.dtype == at::kBFloat16 ? "bf16" : "fp32";
}

/// The instruction set, and the library of fp32 products if it is not libtorch's usual one.
std::string capability_word(const Machine& machine) {
  const bool other_library = machine.device.is_cpu() && models::uses_onednn();
  return models::cpu::capability() + (other_library ? " with oneDNN" : "");
}

std::string device_word(const Machine& machine) {
  return c10::DeviceTypeName(machine.device.type(), true);
}

}  // namespace

std::string arithmetic(const Machine& machine) {
  return machine.device.is_cpu()
             ? dtype_word(machine)
             : fmt::format("{} on {}", dtype_word(machine), device_word(machine));
}

Machine prepare_machine(const RuntimeConfig& runtime) {
  Machine machine;
  machine.device = models::find_device(runtime.device);
  machine.dtype = resolve_dtype(runtime.dtype, machine.device);
  models::allow_rounded_products(machine.device, machine.dtype);
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  machine.threads = runtime.threads > 0
                        ? runtime.threads
                        : std::min<std::int64_t>(at::get_num_threads(), available_processors());
  at::set_num_threads(static_cast<int>(machine.threads));
  machine.description = fmt::format("{}, {} cores, {} threads, {}", processor_name(), cores,
                                    machine.threads, arithmetic(machine));
  return machine;
}

std::int64_t prefill_chunk(const RuntimeConfig& runtime, const Machine& machine) {
  if (runtime.prefill_chunk > 0) return runtime.prefill_chunk;
  constexpr std::int64_t kForCaches = 512, kForManyCores = 4096;
  return machine.device.is_cpu() ? kForCaches : kForManyCores;
}

std::int64_t count_workers(std::int64_t hidden_size, const Machine& machine) {
  constexpr std::int64_t kSmall = 512;
  return machine.device.is_cpu() && hidden_size <= kSmall ? machine.threads : 1;
}

void describe_machine(reports::RunInfo& info, const RuntimeConfig& runtime,
                      const Machine& machine) {
  info.machine = machine.description;
  // What the last bits of results depend on; see reports::kArithmeticNames.
  info.arithmetic = {{"device", device_word(machine)},
                     {"dtype", dtype_word(machine)},
                     {"prefill_chunk", std::to_string(prefill_chunk(runtime, machine))},
                     {"processor", processor_name()},
                     {"cpu_capability", capability_word(machine)}};
}

}  // namespace niah
