// Sentence splitting for languages that Punkt has no data for: a subset of the sentence boundaries
// of Unicode (UAX #29).
#pragma once

#include <string_view>
#include <vector>

namespace niah::tasks {

/// The sentences of `utf8`, as views into it, without the spaces between them. A sentence ends
/// after a terminator of any script (". ! ? 。 ！ ？ ؟ । ..."), the quotes and brackets that close
/// it, and the spaces after those; not before a lower-case letter, a digit or a comma that follows
/// a period. Unlike in UAX #29, a quote or bracket that opens belongs to what follows, also where
/// no space is before it. No abbreviations are known. Takes linear time.
std::vector<std::string_view> split_unicode_sentences(std::string_view utf8);

/// Whether sentences of that language (a tag such as "zh" or "zh-Hant") follow each other without a
/// space: Chinese and Japanese.
bool is_written_without_spaces(std::string_view language);

}  // namespace niah::tasks
