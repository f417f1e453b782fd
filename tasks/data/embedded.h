// The data files of this folder, compiled into the program.
#pragma once

#include <string_view>

namespace niah::tasks::data {

/// wonderwords 3.0.1: one word a line, in the package's order.
std::string_view adjectives();
std::string_view nouns();

/// NLTK's English Punkt parameters: abbreviations, one a line.
std::string_view punkt_abbreviations();
/// ... word pairs, TAB between.
std::string_view punkt_collocations();
/// ... words and their orthographic context flags, TAB between.
std::string_view punkt_orthographic_context();
/// ... frequent sentence starters, one a line.
std::string_view punkt_sentence_starters();

}  // namespace niah::tasks::data
