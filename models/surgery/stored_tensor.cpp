#include "models/surgery/stored_tensor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "harness/base/sha256.h"
#include "models/weights.h"

namespace niah::models {

StoredTensor read_stored(const OpenCheckpoint& from, const std::string& name) {
  const at::Tensor stored = read_tensor(from.checkpoint, name).contiguous();
  const std::string sha256 =
      sha256_hex({static_cast<const char*>(stored.const_data_ptr()), stored.nbytes()});
  const at::ScalarType type = stored.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  StoredTensor result{stored.to(type, false, /*copy=*/true), sha256};
  release_tensor(*from.checkpoint, name);
  return result;
}

double norm_of(const at::Tensor& a) {
  const at::Tensor flat = a.reshape({-1});
  return std::sqrt(at::dot(flat, flat).item<double>());  // a single pass, bound by memory speed
}

at::Tensor read_values(const OpenCheckpoint& from, const std::string& name) {
  const at::Tensor stored = read_tensor(from.checkpoint, name);
  const at::ScalarType type = stored.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor values = stored.to(type, false, /*copy=*/true);
  release_tensor(*from.checkpoint, name);
  return values;
}

}  // namespace niah::models
