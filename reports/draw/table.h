// A table and its renderings as Markdown, CSV, LaTeX and terminal text (HTML: html.h).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace niah::reports {

/// The width of text for a terminal whose own is not known.
inline constexpr std::size_t kColumns = 100;

/// Horizontal alignment of a column.
enum class Align { kLeft, kRight };

/// A column; neighbours with the same non-empty group share a heading above their titles.
struct Column {
  std::string title;
  Align align = Align::kRight;
  std::string group{};
};

/// Plain text in rows; every row has as many cells as there are columns.
struct Table {
  std::string name;  ///< file name without extension
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;

  /// Appends a row, which must have as many cells as there are columns.
  void add_row(std::vector<std::string> row);
};

/// A text as Markdown shows it, on one line: without effect of what Markdown and HTML give a
/// meaning.
std::string markdown_text(const std::string& text);

/// A GitHub pipe table below the caption. A column's group precedes its title ("base: n").
std::string markdown(const Table& table);

/// RFC 4180 with a header line; no caption.
std::string csv(const Table& table);

/// A LaTeX table environment; needs the packages booktabs and graphicx. Wide tables are shrunk to
/// the width of the text.
std::string latex(const Table& table);

/// Columns separated by spaces, without rules. Columns that do not fit in `width` continue below,
/// with the first `keys` columns repeated. `colour` makes headings bold with ANSI escapes. Control
/// characters in cells become spaces.
std::string terminal(const Table& table, std::size_t width = kColumns, std::size_t keys = 1,
                     bool colour = false);

}  // namespace niah::reports
