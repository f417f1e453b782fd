// The work of `niah tokenize`: texts in, ids and decoded texts out, one JSON value a line.
#pragma once

#include <iosfwd>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// Reads one JSON string a line from `in` and writes {"ids":[...],"text":"decoded"} a line to
/// `out`. Empty lines are passed over. Throws DataError naming the line that is not a JSON string
/// or that the tokenizer refuses.
void tokenize_lines(std::istream& in, std::ostream& out, const Tokenizer& tokenizer);

}  // namespace niah::models
