// The data files of this folder, compiled into the program.
#pragma once

#include <string_view>

namespace niah::tasks::data {

/// The words of wonderwords 3.0.1, one per line, in the package's order.
std::string_view adjectives();
std::string_view nouns();
std::string_view verbs();

/// NLTK's English Punkt parameters: abbreviations, one per line.
std::string_view punkt_abbreviations();
/// ... word pairs, separated by a TAB.
std::string_view punkt_collocations();
/// ... words and their orthographic context flags, separated by a TAB.
std::string_view punkt_orthographic_context();
/// ... frequent sentence starters, one per line.
std::string_view punkt_sentence_starters();

}  // namespace niah::tasks::data
