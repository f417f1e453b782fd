// Unicode normalisation of a text before it is tokenized.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

enum class Normalization { kNone, kNfc };

/// The text in Unicode Normalization Form C as the reference computes it (with tables of Unicode
/// 10; later characters are left as they are). Returns a view of `text` if nothing changes, as is
/// usual, else a view of `buffer`. The text must be well-formed UTF-8.
std::string_view to_nfc(std::string_view text, std::string& buffer);

/// Applies `normalization`. Like to_nfc, returns a view of `text` or of `buffer`.
std::string_view normalize(Normalization normalization, std::string_view text, std::string& buffer);

/// Whether a text can be split before this code point and the parts normalised separately, whatever
/// comes before: true for all characters below U+0300.
inline bool starts_normalization(char32_t code_point) { return code_point < 0x300; }

}  // namespace niah::models
