// Where a model's parameters come from.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// Tensors by checkpoint name. Copies share the tensors: a variant is a copy with some replaced.
using WeightMap = std::map<std::string, at::Tensor>;

/// Gives an architecture its parameters while it builds itself.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// The parameter `name`, which must have this shape.
  virtual at::Tensor tensor(const std::string& name, at::IntArrayRef shape) = 0;
  /// Whether there is a parameter `name`, for checkpoints that are laid out in several ways. A
  /// source that makes what it is asked for has none.
  virtual bool has(const std::string& name) const = 0;
  /// The size of its first dimension, for tensors that are cut in several ways; 0 where `has` says
  /// no.
  virtual std::int64_t rows_of([[maybe_unused]] const std::string& name) const { return 0; }
  /// Tensors whose names begin with `prefix` are none of the model's, and no error: a vision tower
  /// beside the text model.
  virtual void ignore(const std::string& prefix) = 0;
};

/// Takes parameters from a WeightMap and keeps account: finish() throws DataError listing every
/// missing, unexpected and mis-shaped tensor with shapes.
class MapSource : public TensorSource {
 public:
  /// `label` names the checkpoint in errors. `weights` must outlive the source.
  MapSource(const WeightMap& weights, std::string label);
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override;
  bool has(const std::string& name) const override { return weights_.contains(name); }
  std::int64_t rows_of(const std::string& name) const override;
  void ignore(const std::string& prefix) override { ignored_.push_back(prefix); }
  void finish() const;

 private:
  const WeightMap& weights_;
  std::string label_;
  std::map<std::string, std::vector<std::int64_t>> asked_;
  std::vector<std::string> ignored_;  ///< prefixes
};

/// Gives meta tensors (no memory) and remembers the shapes asked for: the architecture's inventory.
class ShapeSource : public TensorSource {
 public:
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override;
  bool has(const std::string&) const override { return false; }
  void ignore(const std::string& prefix) override { ignored_.push_back(prefix); }
  /// Whether the architecture said that a tensor of this name is none of its own.
  bool is_ignored(const std::string& name) const;
  const std::map<std::string, std::vector<std::int64_t>>& shapes() const { return shapes_; }
  /// Number of parameters asked for.
  std::int64_t parameters() const;

 private:
  std::map<std::string, std::vector<std::int64_t>> shapes_;
  std::vector<std::string> ignored_;  ///< prefixes
};

/// One tensor of a checkpoint in the type of its file: a view of the mapped file, or what an
/// adapter makes of it. W + s B A is computed in fp32 (fp64 where the file has that) and rounded
/// once, to the type in which the base is stored, and so is a tensor that an adapter replaces: base
/// and adapter are to the bit what restore writes as their merged checkpoint, whatever type a model
/// is then computed in. Throws DataError for element types that are not floating point.
at::Tensor read_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                       const std::string& name);
/// The same without the adapter.
at::Tensor read_base_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                            const std::string& name);
/// Takes what was read of a tensor's file out of memory.
void release_tensor(const Checkpoint& checkpoint, const std::string& name);

/// All tensors of a checkpoint in `dtype`: views of the mapped file where the type is the same,
/// copies where it must be converted or an adapter changes it. The tensors keep the mapping alive.
/// Throws what read_tensor throws.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype);
/// The same of those tensors alone, which must be there.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const std::vector<std::string>& names);

/// The element type in torch's terms.
at::ScalarType scalar_type(DType dtype);

/// Throws DataError, with file and type, unless the tensor holds floating-point numbers.
void require_floating(const Checkpoint& checkpoint, const std::string& name);

/// Writes the tensors as one safetensors file, in name order.
void save_weights(const std::filesystem::path& path, const WeightMap& weights,
                  const std::map<std::string, std::string>& metadata);

/// Content hash of tensors as they are in memory: names, types, shapes, data.
std::string hash_weights(const WeightMap& weights);

/// One safetensors tensor as it is on disk, sharing the mapping that `owner` keeps alive.
at::Tensor view_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                       std::shared_ptr<const void> owner);

}  // namespace niah::models
