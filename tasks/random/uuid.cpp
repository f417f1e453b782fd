#include "tasks/random/uuid.h"

#include <fmt/format.h>

namespace niah::tasks {

std::string format_uuid4(std::uint64_t high, std::uint64_t low) {
  constexpr std::uint64_t kVersionMask = 0xF000, kVersion4 = 0x4000;
  constexpr std::uint64_t kVariantMask = 0xC000'0000'0000'0000, kRfcVariant = 0x8000'0000'0000'0000;
  high = (high & ~kVersionMask) | kVersion4;
  low = (low & ~kVariantMask) | kRfcVariant;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF,
                     high & 0xFFFF, low >> 48, low & 0xFFFF'FFFF'FFFF);
}

}  // namespace niah::tasks
