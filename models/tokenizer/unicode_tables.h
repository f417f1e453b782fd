// Differences between the Unicode versions of the libraries used here and that of the reference
// tokenizer.
#pragma once

#include <span>
#include <string_view>

#include "harness/base/code_points.h"

namespace niah::models {

/// A range of code points with the same category.
struct CategoryRange {
  char32_t first, last;
  std::string_view category;  ///< general category: "Lo", "Nd", ...
};

/// Code points assigned after Unicode 14 (the version of PCRE2 10.42), ascending, with the category
/// that they have in the regular expressions of Hugging Face tokenizers.
std::span<const CategoryRange> newer_categories();

/// Code points, ascending, that Unicode normalisation reorders or composes but the reference leaves
/// as they are, because its normalisation tables are those of Unicode 10.
std::span<const CodePointRange> inert_in_reference();

}  // namespace niah::models
