#include "models/checkpoint/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/base/error.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"

namespace niah::models {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

using nlohmann::json;

// The limit of the reference implementation; no real header comes near it.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

struct DTypeEntry {
  DType dtype;
  std::string_view name;
  std::size_t size;
};
constexpr std::array kDTypes = {
    DTypeEntry{DType::kF64, "F64", 8}, DTypeEntry{DType::kF32, "F32", 4},
    DTypeEntry{DType::kF16, "F16", 2}, DTypeEntry{DType::kBF16, "BF16", 2},
    DTypeEntry{DType::kI64, "I64", 8}, DTypeEntry{DType::kI32, "I32", 4},
    DTypeEntry{DType::kI16, "I16", 2}, DTypeEntry{DType::kI8, "I8", 1},
    DTypeEntry{DType::kU8, "U8", 1},   DTypeEntry{DType::kBool, "BOOL", 1},
};

[[noreturn]] void refuse(const std::string& label, const std::string& what) {
  throw DataError(fmt::format("reading {}: {}", label, what));
}

std::string shown(std::string_view name) { return valid_utf8(name.substr(0, 200)); }

std::uint64_t read_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::optional<std::uint64_t> as_unsigned(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  return std::nullopt;
}

DType parse_dtype(const json& entry, const std::string& name, const std::string& label) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string())
    refuse(label, fmt::format("tensor '{}' has no dtype", shown(name)));
  const auto text = found->get<std::string>();
  for (const DTypeEntry& known : kDTypes)
    if (known.name == text) return known.dtype;
  refuse(label, fmt::format("tensor '{}' has dtype '{}', which is not supported (F64, F32, F16, "
                            "BF16 and integers are); quantised weights have to be saved "
                            "dequantised first",
                            shown(name), shown(text)));
}

/// Sets the tensor's shape and returns the number of bytes that it needs.
std::uint64_t parse_shape(const json& entry, TensorInfo& tensor, const std::string& label) {
  const auto found = entry.find("shape");
  if (found == entry.end() || !found->is_array() || found->size() > 16)
    refuse(label, fmt::format("tensor '{}' has no valid shape", shown(tensor.name)));
  // The product without zeros must not overflow either: it is what strides are computed from.
  std::uint64_t extent = dtype_size(tensor.dtype);
  bool is_empty = false;
  for (const json& dimension : *found) {
    const auto size = as_unsigned(dimension);
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 60;
    if (!size || *size > kLimit || (*size != 0 && extent > kLimit / *size))
      refuse(label, fmt::format("tensor '{}' has an impossible shape", shown(tensor.name)));
    is_empty = is_empty || *size == 0;
    extent *= std::max<std::uint64_t>(1, *size);
    tensor.shape.push_back(static_cast<std::int64_t>(*size));
  }
  return is_empty ? 0 : extent;
}

TensorInfo parse_tensor(const std::string& name, const json& entry, std::uint64_t data_size,
                        const std::string& label) {
  TensorInfo tensor;
  tensor.name = name;
  if (!entry.is_object()) refuse(label, fmt::format("tensor '{}' is not an object", shown(name)));
  tensor.dtype = parse_dtype(entry, name, label);
  const std::uint64_t needed = parse_shape(entry, tensor, label);
  const auto offsets = entry.find("data_offsets");
  const bool pair = offsets != entry.end() && offsets->is_array() && offsets->size() == 2;
  const auto begin = pair ? as_unsigned((*offsets)[0]) : std::nullopt;
  const auto end = pair ? as_unsigned((*offsets)[1]) : std::nullopt;
  if (!begin || !end || *begin > *end)
    refuse(label, fmt::format("tensor '{}' has no valid data_offsets", shown(name)));
  if (*end > data_size)
    refuse(label,
           fmt::format("tensor '{}' ends at byte {} of the data, but the file holds {} bytes "
                       "of data: it is truncated, fetch it again",
                       shown(name), *end, data_size));
  if (*end - *begin != needed)
    refuse(label,
           fmt::format("tensor '{}' of shape {} and dtype {} needs {} bytes, its data_offsets "
                       "span {}",
                       shown(name), format_shape(tensor.shape), dtype_name(tensor.dtype), needed,
                       *end - *begin));
  tensor.begin = *begin;
  tensor.end = *end;
  return tensor;
}

std::map<std::string, std::string> parse_metadata(const json& entry, const std::string& label) {
  if (!entry.is_object()) refuse(label, "__metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) refuse(label, "__metadata__ holds something other than strings");
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

/// Sorts the tensors by position and checks that they cover the data without overlaps or gaps.
void check_tiling(SafetensorsHeader& header, std::uint64_t data_size, const std::string& label) {
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const TensorInfo& a, const TensorInfo& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  std::uint64_t at = 0;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.begin < at)
      refuse(label,
             fmt::format("the data of tensor '{}' overlaps its neighbour", shown(tensor.name)));
    if (tensor.begin > at)
      refuse(label, fmt::format("{} bytes before tensor '{}' belong to no tensor",
                                tensor.begin - at, shown(tensor.name)));
    at = tensor.end;
  }
  if (at != data_size)
    refuse(label, fmt::format("{} bytes at the end belong to no tensor: the header and the data do "
                              "not match",
                              data_size - at));
}

}  // namespace

std::string_view dtype_name(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].name; }

std::size_t dtype_size(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].size; }

bool is_floating(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return true;
    default:
      return false;
  }
}

std::int64_t TensorInfo::numel() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::string format_shape(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

SafetensorsHeader parse_safetensors(std::string_view file, const std::string& label) {
  refuse_lfs_pointer(file, label, "reading the weights");
  if (file.size() < 8)
    refuse(label, fmt::format("{} bytes are too few for a safetensors file", file.size()));
  const std::uint64_t header_size = read_u64(file);
  if (header_size > kMaxHeaderBytes)
    refuse(label, fmt::format("the header claims {} bytes (at most {} are accepted): the file is "
                              "damaged or not safetensors",
                              header_size, kMaxHeaderBytes));
  if (header_size > file.size() - 8)
    refuse(label, fmt::format("the header claims {} bytes, but the file has only {}: it is "
                              "truncated, fetch it again",
                              header_size, file.size()));
  SafetensorsHeader header;
  header.data_begin = 8 + header_size;
  const std::uint64_t data_size = file.size() - header.data_begin;
  const auto take = [&](const std::string& name, const json& entry) {
    if (name == "__metadata__")
      header.metadata = parse_metadata(entry, label);
    else
      header.tensors.push_back(parse_tensor(name, entry, data_size, label));
  };
  try {
    parse_json_members(file.substr(8, header_size), take);
  } catch (const JsonError& error) {
    refuse(label, fmt::format("the header is not what safetensors writes ({}); the file is damaged "
                              "or not safetensors",
                              error.what()));
  }
  check_tiling(header, data_size, label);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), header_(parse_safetensors(file_.view(), path.string())) {
  for (std::size_t i = 0; i < header_.tensors.size(); ++i)
    index_.emplace(header_.tensors[i].name, i);
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &header_.tensors[found->second];
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorInfo& tensor) const {
  return {file_.data() + header_.data_begin + tensor.begin, tensor.end - tensor.begin};
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Built as text: inserting into an ordered JSON object takes time linear in its size.
  std::string text = "{";
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& value) {
    text += (text.size() > 1 ? "," : "") + json(name).dump() + ":" + value.dump();
  };
  if (!metadata.empty()) add("__metadata__", metadata);
  std::uint64_t at = 0;
  for (const TensorBytes& tensor : tensors) {
    add(tensor.name, {{"dtype", dtype_name(tensor.dtype)},
                      {"shape", tensor.shape},
                      {"data_offsets", {at, at + tensor.bytes.size()}}});
    at += tensor.bytes.size();
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the data, as the reference writer does
  std::string content(8, '\0');
  const std::uint64_t header_size = text.size();
  std::memcpy(content.data(), &header_size, sizeof header_size);
  content += text;
  content.reserve(content.size() + at);
  for (const TensorBytes& tensor : tensors)
    content.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  write_file(path, content);
}

}  // namespace niah::models
