#include "harness/engine/local/memory_guard.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <system_error>
#include <vector>

namespace niah {
namespace {

TEST(FitsInMemory, KnowsLibtorchsWayOfSayingSo) {
  EXPECT_FALSE(fits_in_memory([] { at::empty({std::int64_t{1} << 52}); }));
  EXPECT_FALSE(fits_in_memory([] { throw std::bad_alloc(); }));
  EXPECT_TRUE(fits_in_memory([] { at::empty({16}); }));
}

TEST(FitsInMemory, KnowsTheWaysOfOtherLibraries) {
  EXPECT_FALSE(fits_in_memory([] { throw std::runtime_error("could not create a primitive"); }));
  EXPECT_FALSE(fits_in_memory([] {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }));
  EXPECT_THROW(fits_in_memory([] {
                 throw std::system_error(std::make_error_code(std::errc::permission_denied));
               }),
               std::system_error);
}

TEST(FitsInMemory, OtherErrorsPassThrough) {
  EXPECT_THROW(fits_in_memory([] { at::zeros({2}).view({3}); }), c10::Error);
  EXPECT_THROW(fits_in_memory([] { throw std::runtime_error("other"); }), std::runtime_error);
}

}  // namespace
}  // namespace niah
