// The parameters that an architecture asks for while a model is being built.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

}  // namespace niah::models
