#include "models/adapted_tensor.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "models/weights.h"

namespace niah::models {
namespace {

/// A view of a tensor in the adapter's file, valid as long as the adapter.
at::Tensor view(const TensorInfo& info, const Adapter& adapter) {
  return view_tensor(info, adapter.file().bytes(info), nullptr);
}

void require_same_base(const at::Tensor& base, const TensorInfo& copy, const Adapter& adapter) {
  const at::Tensor saved = view(copy, adapter);
  // In another type the copy may have been rounded, so it cannot be compared.
  if (saved.scalar_type() != base.scalar_type() || at::equal(saved, base)) return;
  throw DataError(fmt::format(
      "reading the adapter {}: its copy '{}' of a base tensor differs from that tensor in the "
      "checkpoint: it was trained on another base",
      adapter.file().path().string(), valid_utf8(copy.name.substr(0, 200))));
}

}  // namespace

at::Tensor apply_change(const at::Tensor& base, const TensorChange& change,
                        const Adapter& adapter) {
  const at::NoGradGuard no_gradients;
  if (change.replacement != nullptr)
    return view(*change.replacement, adapter).to(base.scalar_type(), false, /*copy=*/true);
  if (change.base_copy != nullptr) require_same_base(base, *change.base_copy, adapter);
  const at::ScalarType type = base.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor values = base.to(type, false, /*copy=*/true);
  const at::Tensor a = view(*change.a, adapter).to(type);
  const at::Tensor b = view(*change.b, adapter).to(type);
  if (change.is_embedding)
    values.addmm_(a.t(), b.t(), 1, change.scale);
  else
    values.addmm_(b, a, 1, change.scale);
  if (change.magnitude != nullptr) {
    const at::Tensor lengths = view(*change.magnitude, adapter).to(type).reshape({-1, 1});
    values.mul_(lengths / at::linalg_vector_norm(values, 2, at::IntArrayRef{1}, /*keepdim=*/true));
  }
  return values.to(base.scalar_type());
}

}  // namespace niah::models
