// Version-4 UUIDs from random bits.
#pragma once

#include <cstdint>
#include <string>

namespace niah::tasks {

/// The version-4 UUID (RFC 9562) of 128 random bits, lower case with hyphens: the version and
/// variant bits are set, the others kept.
std::string format_uuid4(std::uint64_t high, std::uint64_t low);

}  // namespace niah::tasks
