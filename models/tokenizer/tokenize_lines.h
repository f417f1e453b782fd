// The work of `niah tokenize`: texts in, ids and decoded texts out, one JSON value a line.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string_view>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// The most bytes of one line: what has no line ends would else fill the memory.
inline constexpr std::size_t kMostLineBytes = std::size_t{256} << 20;

/// Reads one JSON string a line from `in` and gives `write` {"ids":[...],"text":"decoded"} a line.
/// Empty lines are passed over. Throws DataError naming the line that is too long, not a JSON
/// string, or that the tokenizer refuses, or when the input cannot be read to its end.
void tokenize_lines(std::istream& in, const std::function<void(std::string_view)>& write,
                    const Tokenizer& tokenizer, std::size_t most_line_bytes = kMostLineBytes);

}  // namespace niah::models
