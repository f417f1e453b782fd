// Unicode normalisation of a text before it is tokenized.
#pragma once

#include <string>
#include <string_view>

namespace niah::models {

enum class Normalization { kNone, kNfc };

/// The text in Normalization Form C as the reference gives it (tables of Unicode 10; later
/// characters are left alone). Text that is normalised already, which nearly all text is, costs one
/// look per character and no copy: the result is then a view of `text`, else of `buffer`. The text
/// must be well-formed UTF-8.
std::string_view to_nfc(std::string_view text, std::string& buffer);

/// Applies `normalization`; see to_nfc for what the result views.
std::string_view normalize(Normalization normalization, std::string_view text, std::string& buffer);

/// Whether normalising text before and after this code point apart gives the same as normalising
/// it together, whatever stands before: true for all characters below U+0300.
inline bool starts_normalization(char32_t code_point) { return code_point < 0x300; }

}  // namespace niah::models
