#include "models/checkpoint/elements.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace niah::models {
namespace {

/// The upper half of an fp32 number.
struct BFloat16 {
  std::uint16_t bits;

  explicit BFloat16(float value) {
    const auto whole = std::bit_cast<std::uint32_t>(value);
    constexpr std::uint32_t kNan = 0x7FC0, kBelowHalf = 0x7FFF;
    const std::uint32_t rounded = (whole + kBelowHalf + ((whole >> 16) & 1)) >> 16;
    bits = static_cast<std::uint16_t>(std::isnan(value) ? kNan : rounded);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

using Half = _Float16;

/// Calls f with a null pointer to the C++ type of `type`, which is a floating-point one.
template <typename F>
auto with_type(DType type, const F& f) {
  switch (type) {
    case DType::kF64:
      return f(static_cast<double*>(nullptr));
    case DType::kF32:
      return f(static_cast<float*>(nullptr));
    case DType::kF16:
      return f(static_cast<Half*>(nullptr));
    case DType::kBF16:
      return f(static_cast<BFloat16*>(nullptr));
    default:
      throw std::logic_error("numbers that are not floating-point ones");
  }
}

/// Number `i`. Offsets in files need not be multiples of the size, so it is copied.
template <typename T>
T number(std::span<const std::byte> bytes, std::size_t i) {
  std::array<std::byte, sizeof(T)> own;
  std::memcpy(own.data(), bytes.data() + i * sizeof(T), sizeof(T));
  return std::bit_cast<T>(own);
}

/// Exact but for fp64, which stays what it is.
double wide(double value) { return value; }
template <typename T>
float wide(T value) {
  return static_cast<float>(value);
}

template <typename T>
T narrow(double value) {
  if constexpr (sizeof(T) == sizeof(double)) return value;
  return T(static_cast<float>(value));
}

/// The sum of term(i) for i below `count`, in several partial sums so that they can be added at
/// once.
template <typename F>
double sum_of(std::size_t count, const F& term) {
  constexpr std::size_t kSums = 16;
  std::array<double, kSums> sums{};
  std::size_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (std::size_t k = 0; k < kSums; ++k) sums[k] += term(i + k);
  double total = 0;
  for (; i < count; ++i) total += term(i);
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

std::vector<std::byte> converted(std::span<const std::byte> bytes, DType from, DType to) {
  if (from == to) return {bytes.begin(), bytes.end()};
  std::vector<std::byte> result(bytes.size() / dtype_size(from) * dtype_size(to));
  with_type(from, [&]<typename From>(From*) {
    with_type(to, [&]<typename To>(To*) {
      for (std::size_t i = 0; i < bytes.size() / sizeof(From); ++i) {
        const To value = narrow<To>(wide(number<From>(bytes, i)));
        std::memcpy(result.data() + i * sizeof(To), &value, sizeof(To));
      }
    });
  });
  return result;
}

bool all_finite(std::span<const std::byte> bytes, DType type) {
  return with_type(type, [&]<typename T>(T*) {
    bool finite = true;
    for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i)
      finite &= std::isfinite(wide(number<T>(bytes, i)));
    return finite;
  });
}

bool are_equal(std::span<const std::byte> a, DType type_of_a, std::span<const std::byte> b,
               DType type_of_b) {
  const std::size_t count = a.size() / dtype_size(type_of_a);
  if (count != b.size() / dtype_size(type_of_b)) return false;
  return with_type(type_of_a, [&]<typename A>(A*) {
    return with_type(type_of_b, [&]<typename B>(B*) {
      bool equal = true;
      for (std::size_t i = 0; i < count; ++i)
        equal &= static_cast<double>(wide(number<A>(a, i))) ==
                 static_cast<double>(wide(number<B>(b, i)));
      return equal;
    });
  });
}

double squared_distance(std::span<const std::byte> a, std::span<const std::byte> b, DType type) {
  return with_type(type, [&]<typename T>(T*) {
    return sum_of(a.size() / sizeof(T), [&](std::size_t i) {
      const double difference = static_cast<double>(wide(number<T>(a, i))) - wide(number<T>(b, i));
      return difference * difference;
    });
  });
}

double squared_norm(std::span<const std::byte> a, DType type) {
  return with_type(type, [&]<typename T>(T*) {
    return sum_of(a.size() / sizeof(T), [&](std::size_t i) {
      const double value = wide(number<T>(a, i));
      return value * value;
    });
  });
}

}  // namespace niah::models
