// The safetensors format: an 8-byte header length, a JSON header, and raw little-endian tensor
// data. Files are never trusted: every size, offset, shape and type is checked before use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/files.h"

namespace niah::models {

/// The supported element types.
enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// "F32", "BF16", ..., as in file headers.
std::string_view dtype_name(DType dtype);
/// Bytes per element.
std::size_t dtype_size(DType dtype);
/// Whether elements are floating-point numbers.
bool is_floating(DType dtype);

/// A tensor's entry in the header. Offsets are in bytes from the start of the data section.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  std::int64_t numel() const;
};

/// A shape as text, such as "[2048, 128]".
std::string format_shape(std::span<const std::int64_t> shape);

/// A parsed header: tensors in file order, and free-form metadata.
struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_begin = 0;  ///< offset of the data section in the file
};

/// Parses and checks the header of `file`, a file's whole content; `label` names it in errors.
/// Throws DataError for a truncated file, an invalid header, an unknown element type, shapes that
/// overflow or do not fit their data, and data that is outside the file, overlaps or leaves gaps.
SafetensorsHeader parse_safetensors(std::string_view file, const std::string& label);

/// A memory-mapped safetensors file; tensor bytes are read from disk when touched.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  /// The tensor of this name, or nullptr.
  const TensorInfo* find(std::string_view name) const;
  /// The tensor's raw bytes, valid as long as this object.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  /// Offset of the tensor's bytes in the file.
  std::uint64_t offset(const TensorInfo& tensor) const { return header_.data_begin + tensor.begin; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// A tensor to write.
struct TensorBytes {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes a file with `tensors` in the given order, atomically. Throws DataError if it cannot be
/// written.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace niah::models
