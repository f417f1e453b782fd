// Generated prose: English-like sentences from a small grammar, as many as are asked for.
#pragma once

#include <cstdint>
#include <string>

namespace niah::tasks {

/// The version of the grammar, its words and its random numbers; changes when any sentence changes.
inline constexpr const char* kProseVersion = "prose-1";

/// Sentence `index` (>= 0) of the endless text: a function of the index and kProseVersion alone.
/// One grammatical English sentence of ASCII letters and punctuation; no digits, no hyphens.
std::string prose_sentence(std::int64_t index);

}  // namespace niah::tasks
