// Translating the regular expressions in tokenizer files (Oniguruma) for PCRE2.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

/// The PCRE2 pattern (for UTF and UCP mode) that matches exactly what Oniguruma matches with
/// `pattern`. \s is spelled out; general categories are extended by code points that only the newer
/// Unicode version of Oniguruma knows. Throws std::invalid_argument naming the first construct not
/// known to mean the same in both libraries: anchors, \w, \b, scripts, POSIX brackets, back
/// references, inline flags and the like.
std::string translate_regex(std::string_view pattern);

}  // namespace niah::models
