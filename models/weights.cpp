#include "models/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "harness/base/sha256.h"
#include "models/adapted_tensor.h"

namespace niah::models {
namespace {

DType file_type(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return DType::kF64;
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    case at::kByte:
      return DType::kU8;
    default:
      throw std::logic_error("an element type that is never saved");
  }
}

std::string_view tensor_bytes(const at::Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

}  // namespace

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return at::kDouble;
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kI64:
      return at::kLong;
    case DType::kI32:
      return at::kInt;
    case DType::kI16:
      return at::kShort;
    case DType::kI8:
      return at::kChar;
    case DType::kU8:
      return at::kByte;
    case DType::kBool:
      return at::kBool;
  }
  throw std::logic_error("unknown element type");
}

at::Tensor view_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                       std::shared_ptr<const void> owner) {
  const auto options = at::TensorOptions().dtype(scalar_type(info.dtype));
  if (bytes.empty()) return at::empty(info.shape, options);
  // from_blob wants a mutable pointer; the mapping is read-only and parameters are never written.
  void* data = const_cast<std::byte*>(bytes.data());
  return at::from_blob(
      data, info.shape, [owner = std::move(owner)](void*) {}, options);
}

WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype) {
  return load_weights(checkpoint, dtype, checkpoint->tensor_names());
}

at::Tensor read_base_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                            const std::string& name) {
  require_floating(*checkpoint, name);
  const TensorInfo& info = *checkpoint->find(name);
  return view_tensor(info, checkpoint->bytes(info), checkpoint);
}

at::Tensor read_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                       const std::string& name) {
  const at::Tensor base = read_base_tensor(checkpoint, name);
  const Adapter* adapter = checkpoint->adapter();
  const TensorChange* change = adapter == nullptr ? nullptr : adapter->find(name);
  return change == nullptr ? base : apply_change(base, *change, *adapter);
}

WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const std::vector<std::string>& names) {
  WeightMap weights;
  for (const std::string& name : names) {
    const at::Tensor stored = read_tensor(checkpoint, name);
    weights.emplace(name, stored.to(dtype));
    // Once copied, the original need not stay in memory.
    if (checkpoint->is_adapted(name) || stored.scalar_type() != dtype)
      release_tensor(*checkpoint, name);
  }
  return weights;
}

void save_weights(const std::filesystem::path& path, const WeightMap& weights,
                  const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> keep;
  std::vector<TensorBytes> tensors;
  for (const auto& [name, tensor] : weights) {
    keep.push_back(tensor.detach().contiguous());
    const std::string_view bytes = tensor_bytes(keep.back());
    tensors.push_back({name,
                       file_type(keep.back().scalar_type()),
                       keep.back().sizes().vec(),
                       {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}});
  }
  write_safetensors(path, tensors, metadata);
}

std::string hash_weights(const WeightMap& weights) {
  Sha256 hash;
  for (const auto& [name, tensor] : weights) {
    const at::Tensor contiguous = tensor.detach().contiguous();
    hash.update(fmt::format("{} {} {}\n", name, dtype_name(file_type(contiguous.scalar_type())),
                            format_shape(contiguous.sizes().vec())));
    hash.update(tensor_bytes(contiguous));
  }
  return hash.hex();
}

}  // namespace niah::models
