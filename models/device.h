// Where a model's tensors lie and are computed.
#pragma once

#include <c10/core/Device.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "models/weights.h"

namespace niah::models {

/// The device of a name: "cpu"; "cuda", "cuda:1"; "auto", the first CUDA device that libtorch
/// finds, else the CPU. Throws UsageError for other names, and where libtorch has no such device.
at::Device find_device(const std::string& name);

/// Where a model's parameters lie.
at::Device device_of(const torch::nn::Module& model);

/// Bytes that a device other than the CPU has left, what libtorch keeps unused included; nullopt
/// where libtorch (before 2.10) does not say.
std::optional<std::int64_t> free_device_memory(at::Device device);

/// Lets a GPU round the operands of products in fp32 to 11 bits (TF32) where activations have the 8
/// of `dtype` bf16, and not where they are fp32. Set for the whole process, like the number of
/// threads.
void allow_rounded_products(at::Device device, at::ScalarType dtype);

/// Waits until a device has done what it was given; the CPU has.
void synchronize(at::Device device);

/// Copies tensors to a device, each of them once, however many maps hold it. On the CPU they stay
/// what they are: views of mapped files.
class Placement {
 public:
  explicit Placement(at::Device device) : device_(device) {}
  WeightMap operator()(const WeightMap& weights);

 private:
  struct Placed {
    at::Tensor original;  ///< kept, so that no other tensor gets its address
    at::Tensor copy;
  };
  at::Device device_;
  std::unordered_map<const void*, Placed> placed_;
};

}  // namespace niah::models
