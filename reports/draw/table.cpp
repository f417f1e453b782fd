#include "reports/draw/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

std::string heading(const Column& column) {
  if (column.group.empty()) return column.title;
  return column.title.empty() ? column.group : column.group + ": " + column.title;
}

std::string csv_cell(const std::string& cell) {
  const std::string text = one_line(valid_utf8(cell));
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return '"' + replace_all(text, "\"", "\"\"") + '"';
}

std::string latex_text(const std::string& text) {
  std::string out;
  for (const char c : one_line(valid_utf8(text))) {
    switch (c) {
      case '\\':
        out += "\\textbackslash{}";
        break;
      case '~':
        out += "\\textasciitilde{}";
        break;
      case '^':
        out += "\\textasciicircum{}";
        break;
      case '<':
        out += "$<$";
        break;
      case '>':
        out += "$>$";
        break;
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        out += '\\';
        out += c;
        break;
      default:
        out += c;
    }
  }
  out = replace_all(std::move(out), "–", "--");
  out = replace_all(std::move(out), "−", "$-$");
  return replace_all(std::move(out), "…", "\\ldots{}");
}

/// The groups in order, each with the number of columns that it spans; "" for a column without a
/// group.
std::vector<std::pair<std::string, std::size_t>> group_spans(const Table& table) {
  std::vector<std::pair<std::string, std::size_t>> spans;
  for (const Column& column : table.columns) {
    const bool goes_on =
        !spans.empty() && !column.group.empty() && spans.back().first == column.group;
    if (goes_on) {
      ++spans.back().second;
    } else {
      spans.emplace_back(column.group, 1);
    }
  }
  return spans;
}

/// The row of group headings, with a thin rule below each; "" if no column has a group.
std::string latex_group_row(const Table& table) {
  std::vector<std::string> cells;
  std::string rules;
  std::size_t at = 1;
  for (const auto& [group, span] : group_spans(table)) {
    if (group.empty()) {
      cells.emplace_back();
    } else {
      cells.push_back(fmt::format("\\multicolumn{{{}}}{{c}}{{{}}}", span, latex_text(group)));
      rules += fmt::format("\\cmidrule(lr){{{}-{}}}", at, at + span - 1);
    }
    at += span;
  }
  if (rules.empty()) return "";
  return fmt::format("{} \\\\\n{}\n", fmt::join(cells, " & "), rules);
}

}  // namespace

void Table::add_row(std::vector<std::string> row) {
  check(row.size() == columns.size(), "a table's row has the wrong number of cells");
  rows.push_back(std::move(row));
}

std::string markdown_text(const std::string& text) {
  std::string out;
  for (const char c : one_line(valid_utf8(text))) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '[') out += '\\';
    if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string markdown(const Table& table) {
  std::string out = fmt::format("**{}**\n\n|", markdown_text(table.caption));
  for (const Column& column : table.columns) out += " " + markdown_text(heading(column)) + " |";
  out += "\n|";
  for (const Column& column : table.columns)
    out += column.align == Align::kRight ? " ---: |" : " --- |";
  for (const auto& row : table.rows) {
    out += "\n|";
    for (const std::string& cell : row) out += " " + markdown_text(cell) + " |";
  }
  return out + "\n";
}

std::string csv(const Table& table) {
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::vector<std::string> quoted;
    for (const std::string& cell : cells) quoted.push_back(csv_cell(cell));
    out += fmt::format("{}\r\n", fmt::join(quoted, ","));
  };
  std::vector<std::string> header;
  for (const Column& column : table.columns) header.push_back(heading(column));
  add_line(header);
  for (const auto& row : table.rows) add_line(row);
  return out;
}

std::string latex(const Table& table) {
  std::string shape;
  std::vector<std::string> titles;
  for (const Column& column : table.columns) {
    shape += column.align == Align::kRight ? 'r' : 'l';
    titles.push_back(latex_text(column.title));
  }
  std::string out = fmt::format(
      "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\resizebox{{\\ifdim\\width>\\linewidth"
      "\\linewidth\\else\\width\\fi}}{{!}}{{%\n\\begin{{tabular}}{{{}}}\n\\toprule\n{}{} \\\\\n"
      "\\midrule\n",
      latex_text(table.caption), shape, latex_group_row(table), fmt::join(titles, " & "));
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (const std::string& cell : row) cells.push_back(latex_text(cell));
    out += fmt::format("{} \\\\\n", fmt::join(cells, " & "));
  }
  return out + "\\bottomrule\n\\end{tabular}}\n\\end{table}\n";
}

std::string terminal(const Table& table, std::size_t width, std::size_t keys, bool colour) {
  constexpr std::size_t kGapWidth = 2;
  std::vector<std::vector<std::string>> grid = {{}};
  for (const Column& column : table.columns) grid[0].push_back(one_line(heading(column)));
  for (const auto& row : table.rows) {
    grid.emplace_back();
    for (const std::string& cell : row) grid.back().push_back(one_line(valid_utf8(cell)));
  }
  std::vector<std::size_t> widths(table.columns.size(), 0);
  for (const auto& row : grid)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], count_code_points(row[i]));

  const auto line_of = [&](const std::vector<std::string>& row, std::size_t begin,
                           std::size_t end) {
    std::string line;
    const auto put = [&](std::size_t i) {
      const std::string space(widths[i] - count_code_points(row[i]), ' ');
      line += table.columns[i].align == Align::kRight ? space + row[i] : row[i] + space;
      line.append(kGapWidth, ' ');
    };
    for (std::size_t i = 0; i < keys; ++i) put(i);
    for (std::size_t i = begin; i < end; ++i) put(i);
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };

  std::size_t key_width = 0;
  for (std::size_t i = 0; i < keys; ++i) key_width += widths[i] + kGapWidth;
  std::string out;
  for (std::size_t begin = keys; begin < table.columns.size();) {
    std::size_t end = begin;
    std::size_t used = key_width;
    do {
      used += widths[end++] + kGapWidth;
    } while (end < table.columns.size() && used + widths[end] <= width);
    if (!out.empty()) out += '\n';
    const std::string header = line_of(grid[0], begin, end);
    out += colour ? "\x1b[1m" + header + "\x1b[0m\n" : header + "\n";
    for (std::size_t row = 1; row < grid.size(); ++row)
      out += line_of(grid[row], begin, end) + "\n";
    begin = end;
  }
  return out;
}

}  // namespace niah::reports
