#include "models/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/base/listed_error.h"
#include "harness/base/memory.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "models/adapted_tensor.h"

namespace niah::models {
namespace {

constexpr std::size_t kMaxListed = 10;
constexpr std::size_t kMaxCompared = 1000;

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

/// Appends a line such as "missing (2): a [3, 4], b [5]" with at most kMaxListed items; none if
/// there are no items.
void list_problem(const std::string& title, const std::vector<std::string>& items,
                  std::vector<std::string>& lines) {
  if (items.empty()) return;
  const std::vector<std::string> shown(
      items.begin(), items.begin() + static_cast<long>(std::min(items.size(), kMaxListed)));
  lines.push_back(fmt::format("{} ({}): {}{}", title, items.size(), fmt::join(shown, ", "),
                              items.size() > kMaxListed ? ", ..." : ""));
}

bool begins_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

/// A tensor without data. Throws DataError if it is absurdly large: each size in a config is
/// bounded, their product is not.
at::Tensor stand_in(const std::string& label, const std::string& name, at::IntArrayRef shape) {
  constexpr double kMost = 1e15;
  double elements = 1;
  for (const std::int64_t size : shape) elements *= static_cast<double>(size);
  if (elements > kMost)
    throw DataError(
        fmt::format("loading {}: its config.json asks for the tensor {} {}, which no "
                    "machine holds; one of its sizes is wrong",
                    label, name, format_shape(shape)));
  return at::empty(shape, at::TensorOptions().device(at::kMeta));
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

MapSource::MapSource(const WeightMap& weights, std::string label)
    : weights_(weights), label_(std::move(label)) {}

at::Tensor MapSource::tensor(const std::string& name, at::IntArrayRef shape) {
  asked_[name] = shape.vec();
  const auto found = weights_.find(name);
  // With a stand-in, construction continues and finish() can list all problems at once.
  if (found == weights_.end() || found->second.sizes() != shape)
    return stand_in(label_, name, shape);
  return found->second;
}

std::int64_t MapSource::rows_of(const std::string& name) const {
  const auto found = weights_.find(name);
  return found == weights_.end() || found->second.dim() == 0 ? 0 : found->second.size(0);
}

void MapSource::finish() const {
  std::vector<std::string> missing, unexpected, misshaped, names;
  for (const auto& [name, shape] : asked_) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) {
      missing.push_back(fmt::format("{} {}", name, format_shape(shape)));
      if (names.size() < kMaxCompared) names.push_back(name);
    } else if (found->second.sizes() != at::IntArrayRef(shape)) {
      misshaped.push_back(fmt::format("{} is {}, expected {}", name,
                                      format_shape(found->second.sizes().vec()),
                                      format_shape(shape)));
    }
  }
  for (const auto& [name, tensor] : weights_) {
    if (begins_with_any(name, ignored_) || asked_.contains(name)) continue;
    // Similar names are searched only for what is shown: there may be millions on either side.
    const std::string hint = unexpected.size() < kMaxListed ? did_you_mean(name, names) : "";
    unexpected.push_back(
        fmt::format("{} {}{}", valid_utf8(name), format_shape(tensor.sizes().vec()), hint));
  }
  std::vector<std::string> lines;
  list_problem("missing", missing, lines);
  list_problem("wrong shape", misshaped, lines);
  list_problem("unexpected", unexpected, lines);
  if (lines.empty()) return;
  throw ListedError(fmt::format("loading {}: the tensors do not fit its config.json:", label_),
                    std::move(lines));
}

at::Tensor ShapeSource::tensor(const std::string& name, at::IntArrayRef shape) {
  shapes_[name] = shape.vec();
  return stand_in("the model", name, shape);
}

bool ShapeSource::is_ignored(const std::string& name) const {
  return begins_with_any(name, ignored_);
}

std::int64_t ShapeSource::parameters() const {
  std::int64_t total = 0;
  for (const auto& [name, shape] : shapes_) total += c10::multiply_integers(shape);
  return total;
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

void require_floating(const Checkpoint& checkpoint, const std::string& name) {
  const DType dtype = checkpoint.find(name)->dtype;
  if (at::isFloatingType(scalar_type(dtype))) return;
  throw DataError(
      fmt::format("loading {}: tensor '{}' has dtype {}; weights are F32, F16 or BF16, "
                  "and quantised ones have to be saved dequantised first",
                  checkpoint.file_of(name).string(), valid_utf8(name), dtype_name(dtype)));
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

void release_tensor(const Checkpoint& checkpoint, const std::string& name) {
  const auto bytes = checkpoint.bytes(*checkpoint.find(name));
  release_pages(bytes.data(), bytes.size());
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
