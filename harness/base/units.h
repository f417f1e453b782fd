// Numbers as people write them: context lengths (4K), byte counts, counts with thousands
// separators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace niah {

/// Reads "4096", "4K", "256k" or "1M" (K = 1024, M = 1024^2) as a positive number of tokens;
/// nullopt for anything else.
std::optional<std::int64_t> parse_length(std::string_view text);

/// 4096 → "4K", 262144 → "256K", 6000 → "6000".
std::string format_length(std::int64_t tokens);

/// 1536 → "1.5 KiB", 7516192768 → "7.0 GiB".
std::string format_bytes(double bytes);

/// 1926138880 → "1,926,138,880".
std::string format_count(std::int64_t count);

}  // namespace niah
