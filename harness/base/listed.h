// A list in a sentence.
#pragma once

#include <string>
#include <vector>

namespace niah {

/// "S1", "S1 and S2", "S1, S2 and S3"; empty without names.
std::string listed(const std::vector<std::string>& names);

}  // namespace niah
