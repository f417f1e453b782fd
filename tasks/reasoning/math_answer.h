// Final answers of mathematical problems: finding them in an output, and comparing two.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace niah::tasks {

/// The argument of the last \boxed{…} or \fbox{…}, or what follows "\boxed " up to a dollar sign;
/// nullopt when there is none or its braces do not close.
std::optional<std::string> last_boxed(std::string_view text);

/// A LaTeX answer in normal form, by the rules of the MATH data set (Hendrycks et al. 2021): no
/// spaces, \left, \right, degrees, percent signs or units after \text; \frac for \dfrac, \tfrac and
/// a/b; \sqrt{3} for \sqrt3; "k=5" as "5"; 0.5 as \frac{1}{2}. Nullopt where those rules fail (a
/// bare \sqrt, x/2).
std::optional<std::string> normalise_math(std::string_view answer);

/// Whether two LaTeX answers are equal after normalise_math; if that fails for one of them, as they
/// are.
bool same_math(std::string_view a, std::string_view b);

/// The final answer of a MATH solution: last_boxed, else the text from "final answer is" to the end
/// of its sentence, else the text between the first and the last dollar sign.
std::optional<std::string> final_math_answer(std::string_view output);

/// The final answer of a GSM8K solution: the number after the first "#### ", else a number in
/// last_boxed, else the last number of the text. Without commas, dollar signs and a full stop at
/// the end, and with LaTeX's spellings read as plain ones: "8{,}000" is 8000.
std::optional<std::string> final_number(std::string_view output);

/// The first number of a text, written as final_number writes it; nullopt when there is none.
std::optional<std::string> first_number(std::string_view text);

/// Whether both are decimal numbers of the same value, however they are written: "$29.00" and "29",
/// "8{,}000", "8,000" and "8000", "5.0" and "5". Exact at any number of digits.
bool same_number(std::string_view a, std::string_view b);

}  // namespace niah::tasks
