// Pieces of HTML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/draw/table.h"

namespace niah::reports {

/// Text escaped for HTML, with numbers kept on one line with their percent sign.
std::string html_text(std::string_view text);

/// Foreign text (a model's output): escaped, shortened, and isolated so that marks of writing
/// direction in it cannot reorder the page.
std::string html_foreign(std::string_view text, std::size_t code_points);

/// Content that opens under its title; "" for none.
std::string html_fold(const std::string& title, const std::string& content);

/// A table that opens under its title; "" when it has no rows.
std::string html_fold(const std::string& title, const Table& table);

/// Links to files that lie beside the page.
std::string html_links(const std::vector<std::string>& files);

/// The table in a box that scrolls sideways when it is wider than the page.
std::string html_table(const Table& table);

}  // namespace niah::reports
