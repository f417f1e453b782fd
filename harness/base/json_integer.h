// Range-checked integers from JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

namespace niah {

/// Whether a value is an integer that a T can hold. The JSON library's own conversion wraps: -1
/// becomes 2^64 - 1.
template <typename T>
bool is_integer_of(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return std::in_range<T>(value.get<std::uint64_t>());
  return value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
}

}  // namespace niah
