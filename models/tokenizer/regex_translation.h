// Regular expressions as tokenizer files write them (Oniguruma), for PCRE2.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

/// The PCRE2 pattern (for UTF and UCP) that matches exactly what Oniguruma matches with `pattern`.
/// \s and the general categories are spelled out where the two libraries' Unicode versions differ.
/// Throws std::invalid_argument naming the first construct that is not known to mean the same in
/// both: anchors, \w, \b, scripts, POSIX brackets, back references, inline flags and the like.
std::string translate_regex(std::string_view pattern);

}  // namespace niah::models
