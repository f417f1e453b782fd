// Pieces of HTML.
#pragma once

#include <string>
#include <string_view>

#include "reports/table.h"

namespace niah::reports {

/// Text escaped for HTML, with numbers kept on one line with their percent sign.
std::string html_text(std::string_view text);

/// Foreign text (a model's output): escaped, shortened, and isolated so that marks of writing
/// direction in it cannot reorder the page.
std::string html_foreign(std::string_view text, std::size_t code_points);

/// The table in a box that scrolls sideways when it is wider than the page.
std::string html_table(const Table& table);

}  // namespace niah::reports
