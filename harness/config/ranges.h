// Lengths and depths as configs write them: one, or a range with its step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace niah {

/// "4K", "4K..64K" (doubled until the end is reached) or "4K..64K step 4K". Throws UsageError,
/// also when the end is not reached exactly.
std::vector<std::int64_t> parse_length_range(const std::string& text);

/// Depths in percent: "25", "25%", or "0..100 step 12.5". Throws UsageError, also when the end is
/// not reached exactly.
std::vector<double> parse_depth_range(const std::string& text);

/// `count` depths from 0 to 100, equally far apart; one is 50.
std::vector<double> even_depths(std::int64_t count);

/// "12.5%", which parse_depth_range reads.
std::string depth_text(double depth);

}  // namespace niah
