// What the architectures use of libtorch, in a program that is built without it: tensors that have
// a shape and no numbers. Models can be built from them, so that they describe themselves
// (ModelInfo) and check a checkpoint's tensors, but they compute nothing. The headers in this
// folder have the names of libtorch's and include this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace c10 {

/// The sizes of a tensor. Holds them, where libtorch's refers to them.
class IntArrayRef {
 public:
  IntArrayRef() = default;
  IntArrayRef(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {}
  IntArrayRef(std::initializer_list<std::int64_t> sizes) : sizes_(sizes) {}

  std::size_t size() const { return sizes_.size(); }
  auto begin() const { return sizes_.begin(); }
  auto end() const { return sizes_.end(); }
  const std::vector<std::int64_t>& vec() const { return sizes_; }
  bool operator==(const IntArrayRef&) const = default;

 private:
  std::vector<std::int64_t> sizes_;
};

enum class ScalarType { Float, Long };
enum class DeviceType { CPU, Meta };

struct Device {
  Device(DeviceType type) : type(type) {}  // as a value of that name is one in libtorch
  bool is_cpu() const { return type == DeviceType::CPU; }
  DeviceType type;
};

/// Has an effect on computations alone.
struct InferenceMode {
  InferenceMode() {}
};

}  // namespace c10

namespace at {

using c10::Device;
using c10::IntArrayRef;
using c10::ScalarType;

constexpr ScalarType kFloat = ScalarType::Float;
constexpr ScalarType kLong = ScalarType::Long;
constexpr c10::DeviceType kCPU = c10::DeviceType::CPU;
constexpr c10::DeviceType kMeta = c10::DeviceType::Meta;
enum class MemoryFormat { Contiguous };

struct TensorOptions {
  TensorOptions device(Device) const { return *this; }
};

/// Throws std::logic_error: this program has no numbers to compute with.
[[noreturn]] void no_numbers();

/// A shape. Tensors that are computed from others are never made: those functions throw.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const IntArrayRef& shape) : shape_(std::make_shared<const Shape>(shape.vec())) {}

  bool defined() const { return shape_ != nullptr; }
  IntArrayRef sizes() const { return shape_ ? IntArrayRef(*shape_) : IntArrayRef(); }
  std::int64_t dim() const { return static_cast<std::int64_t>(sizes().size()); }
  std::int64_t size(std::int64_t i) const {
    return shape_->at(static_cast<std::size_t>(i < 0 ? dim() + i : i));
  }
  std::int64_t numel() const {
    std::int64_t product = 1;
    for (const std::int64_t size : sizes()) product *= size;
    return product;
  }
  Device device() const { return kMeta; }
  bool is_cpu() const { return false; }
  TensorOptions options() const { return {}; }
  ScalarType scalar_type() const { return kFloat; }
  void set_requires_grad(bool) {}

  template <typename... Options>
  Tensor to(const Options&...) const {
    return *this;
  }

  // What computes.
  const Tensor& copy_(const Tensor&) const { no_numbers(); }
  const Tensor& zero_() const { no_numbers(); }
  Tensor as_strided(const IntArrayRef&, const IntArrayRef&, std::int64_t) const { no_numbers(); }
  std::vector<Tensor> chunk(std::int64_t, std::int64_t) const { no_numbers(); }
  Tensor clone(MemoryFormat) const { no_numbers(); }
  Tensor contiguous() const { no_numbers(); }
  Tensor expand(const IntArrayRef&) const { no_numbers(); }
  Tensor flatten(std::int64_t = 0, std::int64_t = -1) const { no_numbers(); }
  bool is_alias_of(const Tensor&) const { no_numbers(); }
  bool is_contiguous() const { no_numbers(); }
  template <typename T>
  T item() const {
    no_numbers();
  }
  Tensor log() const { no_numbers(); }
  Tensor narrow(std::int64_t, std::int64_t, std::int64_t) const { no_numbers(); }
  std::size_t nbytes() const { no_numbers(); }
  Tensor new_empty(const IntArrayRef&) const { no_numbers(); }
  Tensor reshape(const IntArrayRef&) const { no_numbers(); }
  Tensor select(std::int64_t, std::int64_t) const { no_numbers(); }
  std::vector<Tensor> split(std::int64_t) const { no_numbers(); }
  std::vector<Tensor> split_with_sizes(const IntArrayRef&, std::int64_t) const { no_numbers(); }
  Tensor square() const { no_numbers(); }
  Tensor squeeze(std::int64_t) const { no_numbers(); }
  std::int64_t storage_offset() const { no_numbers(); }
  IntArrayRef strides() const { no_numbers(); }
  Tensor sum(std::int64_t, bool) const { no_numbers(); }
  Tensor transpose(std::int64_t, std::int64_t) const { no_numbers(); }
  Tensor unflatten(std::int64_t, const IntArrayRef&) const { no_numbers(); }
  Tensor unsqueeze(std::int64_t) const { no_numbers(); }
  Tensor view(const IntArrayRef&) const { no_numbers(); }
  Tensor view_as(const Tensor&) const { no_numbers(); }
  Tensor operator[](std::int64_t) const { no_numbers(); }
  Tensor operator-() const { no_numbers(); }
  Tensor& operator*=(double) { no_numbers(); }

 private:
  using Shape = std::vector<std::int64_t>;
  std::shared_ptr<const Shape> shape_;
};

inline Tensor empty(const IntArrayRef& shape, const TensorOptions&) { return Tensor(shape); }
/// Numbers that a model keeps when it is built, such as the frequencies of a rotary embedding.
template <typename T>
Tensor tensor(const T& values, ScalarType = kFloat) {
  return Tensor({static_cast<std::int64_t>(values.size())});
}

inline Tensor operator*(const Tensor&, const Tensor&) { no_numbers(); }
inline Tensor operator*(const Tensor&, double) { no_numbers(); }
inline Tensor operator+(const Tensor&, const Tensor&) { no_numbers(); }
inline Tensor operator+(const Tensor&, double) { no_numbers(); }
inline Tensor operator/(const Tensor& x, double) { return x; }
inline std::pair<Tensor, Tensor> aminmax(const Tensor&) { no_numbers(); }
inline Tensor cat(const std::vector<Tensor>&, std::int64_t = 0) { no_numbers(); }
inline Tensor constant_pad_nd(const Tensor&, const IntArrayRef&) { no_numbers(); }
inline Tensor embedding(const Tensor&, const Tensor&) { no_numbers(); }
inline Tensor exp(const Tensor&) { no_numbers(); }
inline Tensor matmul(const Tensor&, const Tensor&) { no_numbers(); }
inline Tensor relu(const Tensor&) { no_numbers(); }
inline Tensor rms_norm(const Tensor&, const IntArrayRef&, const Tensor&, double) { no_numbers(); }
inline Tensor rsqrt(const Tensor&) { no_numbers(); }
inline Tensor sigmoid(const Tensor&) { no_numbers(); }
inline Tensor softplus(const Tensor&) { no_numbers(); }
inline Tensor zeros(const IntArrayRef&, const TensorOptions&) { no_numbers(); }

}  // namespace at

namespace torch {
using at::tensor;
}
