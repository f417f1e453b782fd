#include "models/device.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/nn/module.h>
#include <torch/version.h>

#include <vector>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/text.h"

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
#define NIAH_TORCH_TELLS_MEMORY
#include <ATen/DeviceAccelerator.h>
#endif

namespace niah::models {

at::Device find_device(const std::string& name) {
  const auto count = static_cast<std::int64_t>(torch::cuda::device_count());
  if (name == "cpu" || (name == "auto" && count == 0)) return at::kCPU;
  if (name == "auto" || name == "cuda") return find_device("cuda:0");
  constexpr std::string_view kCuda = "cuda:";
  const auto index = name.starts_with(kCuda)
                         ? parse_integer(std::string_view(name).substr(kCuda.size()), kNotNegative)
                         : std::nullopt;
  if (!index)
    throw UsageError(fmt::format("device '{}': auto, cpu, cuda or cuda:N was expected{}",
                                 valid_utf8(name), did_you_mean(name, {"auto", "cpu", "cuda"})));
  if (*index < count) return {at::kCUDA, static_cast<at::DeviceIndex>(*index)};
  throw UsageError(
      !at::hasCUDA()
          ? fmt::format("device '{}': this niah was built with a libtorch for the CPU. Build it "
                        "with one for CUDA (Torch_DIR), or use device cpu.",
                        name)
          : fmt::format("device '{}': libtorch finds {} CUDA device{}", name, count,
                        count == 1 ? "" : "s"));
}

at::Device device_of(const torch::nn::Module& model) {
  const std::vector<at::Tensor> parameters = model.parameters();
  return parameters.empty() ? at::kCPU : parameters.front().device();
}

std::optional<std::int64_t> free_device_memory([[maybe_unused]] at::Device device) {
#ifdef NIAH_TORCH_TELLS_MEMORY
  const auto left = static_cast<std::int64_t>(at::accelerator::getMemoryInfo(device.index()).first);
  if (!at::getDeviceAllocator(device.type())->initialized()) return left;
  // Memory that libtorch has reserved but not allocated is free as well.
  const auto kept = at::accelerator::getDeviceStats(device.index());
  const auto whole = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return left + kept.reserved_bytes[whole].current - kept.allocated_bytes[whole].current;
#else
  return std::nullopt;
#endif
}

void allow_rounded_products(at::Device device, at::ScalarType dtype) {
  if (device.is_cuda()) at::globalContext().setAllowTF32CuBLAS(dtype == at::kBFloat16);
}

void synchronize(at::Device device) {
  if (!device.is_cpu()) torch::cuda::synchronize(device.index());
}

WeightMap Placement::operator()(const WeightMap& weights) {
  if (device_.is_cpu()) return weights;
  WeightMap there;
  for (const auto& [name, tensor] : weights) {
    const auto [place, is_new] = placed_.try_emplace(tensor.unsafeGetTensorImpl());
    if (is_new) place->second = {tensor, tensor.to(device_)};
    there.emplace(name, place->second.copy);
  }
  return there;
}

}  // namespace niah::models
