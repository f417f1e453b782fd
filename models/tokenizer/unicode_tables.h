// Where the Unicode versions of the libraries differ from the reference tokenizer's.
#pragma once

#include <span>
#include <string_view>

#include "harness/base/code_points.h"

namespace niah::models {

struct CategoryRange {
  char32_t first, last;
  std::string_view category;  ///< general category: "Lo", "Nd", ...
};

/// Code points assigned after Unicode 14 (that of PCRE2 10.42) with the category that the regular
/// expressions of Hugging Face tokenizers give them, ascending.
std::span<const CategoryRange> newer_categories();

/// Code points that Unicode reorders or composes in normalisation and that the reference leaves
/// alone, because its normalisation tables are those of Unicode 10, ascending.
std::span<const CodePointRange> inert_in_reference();

}  // namespace niah::models
