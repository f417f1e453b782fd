// Where a model's parameters come from.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"

namespace niah::models {

/// Tensors by checkpoint name. Copying the map shares the tensors, so a variant of a checkpoint is
/// a copy with some of them replaced.
using WeightMap = std::map<std::string, at::Tensor>;

/// Supplies the parameters while an architecture is being constructed.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// The parameter `name`, which must have this shape.
  virtual at::Tensor tensor(const std::string& name, at::IntArrayRef shape) = 0;
  /// Whether a parameter `name` exists, for architectures whose checkpoints come in several
  /// layouts. Always false for sources that create whatever they are asked for.
  virtual bool has(const std::string& name) const = 0;
  /// The size of the first dimension of `name`, for layouts that fuse different projections into
  /// one tensor; 0 if has() is false.
  virtual std::int64_t rows_of([[maybe_unused]] const std::string& name) const { return 0; }
  /// Accepts tensors whose names begin with `prefix` although the model does not use them, such as
  /// a vision tower next to the text model.
  virtual void ignore(const std::string& prefix) = 0;
};

/// Takes parameters from a WeightMap and records what was asked for.
class MapSource : public TensorSource {
 public:
  /// `label` names the checkpoint in errors. `weights` must outlive the source.
  MapSource(const WeightMap& weights, std::string label);
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override;
  bool has(const std::string& name) const override { return weights_.contains(name); }
  std::int64_t rows_of(const std::string& name) const override;
  void ignore(const std::string& prefix) override { ignored_.push_back(prefix); }
  /// Throws DataError listing every missing, unexpected and mis-shaped tensor with its shape.
  void finish() const;

 private:
  const WeightMap& weights_;
  std::string label_;
  std::map<std::string, std::vector<std::int64_t>> asked_;
  std::vector<std::string> ignored_;  ///< prefixes
};

/// Supplies meta tensors (no memory) and records the shapes asked for: the list of an
/// architecture's parameters.
class ShapeSource : public TensorSource {
 public:
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) override;
  bool has(const std::string&) const override { return false; }
  void ignore(const std::string& prefix) override { ignored_.push_back(prefix); }
  /// Whether the architecture asked to ignore a tensor of this name.
  bool is_ignored(const std::string& name) const;
  const std::map<std::string, std::vector<std::int64_t>>& shapes() const { return shapes_; }
  /// Number of parameters asked for.
  std::int64_t parameters() const;

 private:
  std::map<std::string, std::vector<std::int64_t>> shapes_;
  std::vector<std::string> ignored_;  ///< prefixes
};

/// One tensor of a checkpoint in its stored element type: a view of the memory-mapped file or, if
/// an adapter changes the tensor, a new one. W + s B A is computed in fp32 (fp64 if W is stored so)
/// and rounded once, to the type of W; a tensor that the adapter replaces is converted to that type
/// as well. So base and adapter together equal, bit for bit, the merged checkpoint that `restore`
/// writes, whatever type the model is then computed in. Throws DataError for element types that are
/// not floating point.
at::Tensor read_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                       const std::string& name);
/// The same without the adapter's change.
at::Tensor read_base_tensor(const std::shared_ptr<const Checkpoint>& checkpoint,
                            const std::string& name);
/// Tells the operating system that the mapped pages of this tensor may leave memory.
void release_tensor(const Checkpoint& checkpoint, const std::string& name);

/// All tensors of a checkpoint in `dtype`: views of the mapped file where the type is the same,
/// copies where it must be converted or an adapter changes it. The tensors keep the mapping alive.
/// Throws what read_tensor throws.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype);
/// The same for the tensors `names` only, all of which must exist.
WeightMap load_weights(const std::shared_ptr<const Checkpoint>& checkpoint, at::ScalarType dtype,
                       const std::vector<std::string>& names);

/// The torch type that corresponds to a safetensors element type.
at::ScalarType scalar_type(DType dtype);

/// Throws DataError, with file and type, unless the tensor holds floating-point numbers.
void require_floating(const Checkpoint& checkpoint, const std::string& name);

/// Writes the tensors as one safetensors file, in name order.
void save_weights(const std::filesystem::path& path, const WeightMap& weights,
                  const std::map<std::string, std::string>& metadata);

/// SHA-256, in hex, of the names, types, shapes and data of tensors as they are in memory.
std::string hash_weights(const WeightMap& weights);

/// A view of one safetensors tensor's `bytes`. `owner` keeps them alive; if it is null, the caller
/// must.
at::Tensor view_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                       std::shared_ptr<const void> owner);

}  // namespace niah::models
