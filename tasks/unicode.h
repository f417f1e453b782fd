// What CPython's str knows about characters, on UTF-8: the reference programs are Python, and their
// splitting, stripping and case folding must be matched character by character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace niah::tasks {

/// str.isspace of one character, which is also `\s` of CPython's re: white space, and U+001C to
/// U+001F.
bool is_python_space(char32_t c);
/// str.isupper and str.islower of one character.
bool is_upper(char32_t c);
bool is_lower(char32_t c);
/// `\d`: a decimal digit of any script.
bool is_decimal_digit(char32_t c);
/// `[^\W\d]`: a letter, a number that is no decimal digit, or the underscore.
bool is_word_letter(char32_t c);

/// str.lower(), except for the rule of the word-final sigma.
std::string to_lower(std::string_view utf8);

/// Byte offset of the last `part` (lower-case ASCII) in `text`, ignoring the case of ASCII letters;
/// npos if there is none. An offset in to_lower(text) would not do, because some characters have
/// another size in lower case.
std::size_t rfind_any_case(std::string_view text, std::string_view part);

/// str.strip().
std::string_view strip(std::string_view utf8);

/// re.sub(r"\s+", " ", text).
std::string collapse_white_space(std::string_view utf8);

/// The lines of `text` without their newlines; no empty last line after a final newline.
std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace niah::tasks
