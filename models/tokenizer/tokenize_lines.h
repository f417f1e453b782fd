// The implementation of `niah tokenize`: texts in, ids and decoded texts out, one JSON value per
// line.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string_view>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// Maximum length of a line in bytes, so that input without line ends cannot fill the memory.
inline constexpr std::size_t kMostLineBytes = std::size_t{256} << 20;

/// Reads one JSON string per line from `in` and calls `write` with one line
/// {"ids":[...],"text":"decoded"} for each; empty lines are skipped. Throws DataError naming a line
/// that is too long, not a JSON string, or refused by the tokenizer, or if the input cannot be read
/// to its end.
void tokenize_lines(std::istream& in, const std::function<void(std::string_view)>& write,
                    const Tokenizer& tokenizer, std::size_t most_line_bytes = kMostLineBytes);

}  // namespace niah::models
