// Building blocks of HTML pages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/draw/table.h"

namespace niah::reports {

/// Text escaped for HTML; a number and its percent sign stay on one line.
std::string html_text(std::string_view text);

/// Untrusted text (a model's output): escaped, shortened to 160 code points, and isolated so that
/// bidirectional control characters in it cannot reorder the page.
std::string html_foreign(std::string_view text);

/// Content that folds out below its title; "" if there is none.
std::string html_fold(const std::string& title, const std::string& content);

/// A table that folds out below its title; "" if it has no rows.
std::string html_fold(const std::string& title, const Table& table);

/// A list of paragraphs; "" if there are none.
std::string html_list(const std::vector<std::string>& items);

/// Links to files by path relative to the page.
std::string html_links(const std::vector<std::string>& files);

/// The table in a box that scrolls horizontally if it is wider than the page.
std::string html_table(const Table& table);

/// The same; "" if it has no rows.
std::string html_table_if_any(const Table& table);

}  // namespace niah::reports
