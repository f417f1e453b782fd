// Conversion between the floating-point types in which checkpoints store their numbers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/checkpoint/safetensors.h"

namespace niah::models {

/// `bytes`, numbers of type `from`, as numbers of type `to`, both floating-point. Rounds to the
/// nearest, ties to even, as libtorch does: fp64 goes through fp32 to the 16-bit types.
std::vector<std::byte> converted(std::span<const std::byte> bytes, DType from, DType to);

/// Whether none of the numbers is NaN or infinite.
bool all_finite(std::span<const std::byte> bytes, DType type);

/// Whether all numbers are equal, as they are in a type that holds both exactly; NaN equals
/// nothing.
bool are_equal(std::span<const std::byte> a, DType type_of_a, std::span<const std::byte> b,
               DType type_of_b);

/// sum (a - b)^2 over equally many numbers of one type.
double squared_distance(std::span<const std::byte> a, std::span<const std::byte> b, DType type);
/// sum a^2.
double squared_norm(std::span<const std::byte> a, DType type);

}  // namespace niah::models
