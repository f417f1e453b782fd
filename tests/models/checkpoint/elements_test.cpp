#include "models/checkpoint/elements.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace niah::models {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& numbers) {
  return std::as_bytes(std::span(numbers));
}

template <typename T>
std::vector<T> as(const std::vector<std::byte>& bytes) {
  std::vector<T> numbers(bytes.size() / sizeof(T));
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(numbers)).begin());
  return numbers;
}

std::vector<std::uint16_t> to_16_bits(const std::vector<float>& numbers, DType type) {
  return as<std::uint16_t>(converted(bytes_of(numbers), DType::kF32, type));
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Elements, BFloat16RoundsToTheNearestAndTiesToEven) {
  const float tie = 1 + 0x1p-8F, above = 1 + 0x1.02p-8F, odd_tie = 1 + 3 * 0x1p-8F;
  EXPECT_EQ(to_16_bits({0, -0.0F, 1, tie, above, odd_tie, -2.5F, kInfinity, 3.4e38F}, DType::kBF16),
            (std::vector<std::uint16_t>{0, 0x8000, 0x3F80, 0x3F80, 0x3F81, 0x3F82, 0xC020, 0x7F80,
                                        0x7F80}));
  EXPECT_EQ(to_16_bits({std::nanf("")}, DType::kBF16), std::vector<std::uint16_t>{0x7FC0});
}

TEST(Elements, HalfRoundsToTheNearestAndTiesToEven) {
  const float tie = 1 + 0x1p-11F, odd_tie = 1 + 3 * 0x1p-11F, denormal = 0x1p-24F;
  EXPECT_EQ(to_16_bits({0, 1, tie, odd_tie, 65504, 65520, denormal, -2}, DType::kF16),
            (std::vector<std::uint16_t>{0, 0x3C00, 0x3C00, 0x3C02, 0x7BFF, 0x7C00, 1, 0xC000}));
}

TEST(Elements, ToAWiderTypeAndBackIsExactForAll16BitNumbers) {
  std::vector<std::uint16_t> all(1U << 16);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  for (const DType type : {DType::kF16, DType::kBF16})
    for (const DType wide : {DType::kF32, DType::kF64}) {
      const auto there = converted(bytes_of(all), type, wide);
      const auto back = as<std::uint16_t>(converted(there, wide, type));
      for (std::size_t i = 0; i < all.size(); ++i) {
        const bool is_number = all_finite(bytes_of(all).subspan(2 * i, 2), type);
        EXPECT_TRUE(!is_number || back[i] == all[i]) << i;
      }
    }
}

TEST(Elements, Fp64GoesThroughFp32) {
  // Above the tie by less than fp32 can tell, so it rounds as the tie does.
  const double above_tie = 1 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(
      as<std::uint16_t>(converted(bytes_of(std::vector{above_tie}), DType::kF64, DType::kBF16)),
      std::vector<std::uint16_t>{0x3F80});
  EXPECT_EQ(as<double>(converted(bytes_of(std::vector{1.1F}), DType::kF32, DType::kF64)),
            std::vector{static_cast<double>(1.1F)});
}

TEST(Elements, FiniteIsWhatIsNeitherNanNorInfinite) {
  EXPECT_TRUE(all_finite({}, DType::kF32));
  EXPECT_TRUE(all_finite(bytes_of(std::vector{1.0F, 3.4e38F}), DType::kF32));
  for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
    EXPECT_FALSE(all_finite(bytes_of(std::vector{1.0F, bad}), DType::kF32));
    const auto half = converted(bytes_of(std::vector{bad}), DType::kF32, DType::kF16);
    EXPECT_FALSE(all_finite(half, DType::kF16));
  }
}

TEST(Elements, AreEqualAcrossTypesIfTheNumbersAre) {
  const std::vector numbers = {1.5F, -2.0F};
  const auto bytes = bytes_of(numbers);
  for (const DType type : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16})
    EXPECT_TRUE(are_equal(bytes, DType::kF32, converted(bytes, DType::kF32, type), type));
  const std::vector finer = {1.5F + 0x1p-20F, -2.0F};
  const auto rounded = converted(bytes_of(finer), DType::kF32, DType::kBF16);
  EXPECT_FALSE(are_equal(bytes_of(finer), DType::kF32, rounded, DType::kBF16));
  EXPECT_FALSE(are_equal(bytes, DType::kF32, bytes.first(4), DType::kF32));
  const std::vector nan = {std::nanf("")};
  EXPECT_FALSE(are_equal(bytes_of(nan), DType::kF32, bytes_of(nan), DType::kF32));
}

TEST(Elements, NormsAreSumsOfSquares) {
  std::vector<float> a(101), b(101, 2);
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i);
    squares += static_cast<double>(i * i);
  }
  EXPECT_DOUBLE_EQ(squared_norm(bytes_of(a), DType::kF32), squares);
  EXPECT_DOUBLE_EQ(squared_distance(bytes_of(a), bytes_of(b), DType::kF32),
                   squares - 4 * 5050.0 + 4 * 101.0);
  EXPECT_EQ(squared_norm({}, DType::kBF16), 0);
}

TEST(Elements, NumbersMayLieAnywhereInAFile) {
  std::vector<std::byte> file(1);
  const std::vector numbers = {1.5F, -2.0F, 0.25F};
  file.insert(file.end(), bytes_of(numbers).begin(), bytes_of(numbers).end());
  EXPECT_EQ(as<float>(converted(std::span(file).subspan(1), DType::kF32, DType::kF32)), numbers);
  EXPECT_DOUBLE_EQ(squared_norm(std::span(file).subspan(1), DType::kF32), 2.25 + 4 + 0.0625);
}

}  // namespace
}  // namespace niah::models
