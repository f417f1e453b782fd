// One table, many renderings: Markdown, CSV, LaTeX, the terminal. (HTML stands with the page.)
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace niah::reports {

enum class Align { kLeft, kRight };

/// A column; neighbours with the same non-empty group share a heading above their own.
struct Column {
  std::string title;
  Align align = Align::kRight;
  std::string group{};
};

/// Plain text in rows; every row has as many cells as there are columns.
struct Table {
  std::string name;  ///< file stem
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;

  /// Appends a row. Its size must be that of `columns`.
  void add_row(std::vector<std::string> row);
};

/// GitHub's pipe table below the caption. A group is put in front of the title ("base: n").
std::string markdown(const Table& table);

/// RFC 4180 with a header line; no caption.
std::string csv(const Table& table);

/// A LaTeX table environment; needs the packages booktabs and graphicx. Wide tables are shrunk to
/// the width of the text.
std::string latex(const Table& table);

/// Columns of even spacing without rules. Where the columns do not fit in `width` the table goes on
/// below, with its first `keys` columns repeated. `colour` sets headings in bold by ANSI escapes.
/// Control characters in cells become spaces.
std::string terminal(const Table& table, std::size_t width = 100, std::size_t keys = 1,
                     bool colour = false);

}  // namespace niah::reports
