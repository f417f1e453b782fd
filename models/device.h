// The device on which a model's tensors are stored and computed.
#pragma once

#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "models/weights.h"

namespace niah::models {

/// The device called `name`: "cpu", "cuda", "cuda:1", or "auto" for the first CUDA device that
/// libtorch finds, else the CPU. Throws UsageError for other names and for a device that libtorch
/// does not have.
at::Device find_device(const std::string& name);

/// The device of a model's parameters.
at::Device device_of(const torch::nn::Module& model);

/// Free bytes on a device other than the CPU, including those that libtorch has cached but not in
/// use; nullopt if libtorch cannot tell (before 2.10).
std::optional<std::int64_t> free_device_memory(at::Device device);

/// Lets a GPU round the operands of fp32 matrix products to 11 significant bits (TF32) if `dtype`
/// is bf16 (8 bits), not if it is fp32. A setting of the whole process, like the number of threads.
void allow_rounded_products(at::Device device, at::ScalarType dtype);

/// Waits until a device has finished the work queued on it. No effect on the CPU.
void synchronize(at::Device device);

/// Copies tensors to a device; a tensor that several maps share is copied once. On the CPU nothing
/// is copied: tensors remain views of mapped files.
class Placement {
 public:
  explicit Placement(at::Device device) : device_(device) {}
  WeightMap operator()(const WeightMap& weights);

 private:
  struct Placed {
    at::Tensor original;  ///< kept alive so that no other tensor can take its address
    at::Tensor copy;
  };
  at::Device device_;
  std::unordered_map<const void*, Placed> placed_;
};

}  // namespace niah::models
