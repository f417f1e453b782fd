#include "reports/draw/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "harness/base/text.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

/// The CSS class of a column: its alignment, and more space where a group begins.
std::string column_class(const Table& table, std::size_t i) {
  const Column& column = table.columns[i];
  std::string css = column.align == Align::kRight ? "num" : "";
  if (!column.group.empty() && (i == 0 || table.columns[i - 1].group != column.group))
    css += css.empty() ? "part" : " part";
  return css.empty() ? "" : " class=\"" + css + "\"";
}

/// Whether neighbouring rows share their first cell; then a rule is drawn between such runs of
/// rows.
bool has_runs(const Table& table) {
  return std::adjacent_find(table.rows.begin(), table.rows.end(), [](const auto& a, const auto& b) {
           return a.front() == b.front();
         }) != table.rows.end();
}

std::string heading_rows(const Table& table) {
  std::string groups;
  std::string titles;
  bool grouped = false;
  for (std::size_t i = 0; i < table.columns.size();) {
    const Column& first = table.columns[i];
    std::size_t end = i + 1;
    while (end < table.columns.size() && !first.group.empty() &&
           table.columns[end].group == first.group)
      ++end;
    grouped = grouped || !first.group.empty();
    groups += first.group.empty()
                  ? "<td></td>"
                  : fmt::format("<th colspan=\"{}\" scope=\"colgroup\" class=\"group\">{}</th>",
                                end - i, html_text(first.group));
    for (; i < end; ++i)
      titles += fmt::format("<th scope=\"col\"{}>{}</th>", column_class(table, i),
                            html_text(table.columns[i].title));
  }
  return (grouped ? "<tr>" + groups + "</tr>\n" : "") + "<tr>" + titles + "</tr>\n";
}

}  // namespace

std::string html_text(std::string_view text) { return unbroken(escape_html(valid_utf8(text))); }

std::string html_foreign(std::string_view text) {
  constexpr std::size_t kShown = 160;
  return "<bdi>" + escape_html(shorten(valid_utf8(text), kShown)) + "</bdi>";
}

std::string html_fold(const std::string& title, const std::string& content) {
  if (content.empty()) return "";
  return fmt::format("<details class=\"fold\"><summary>{}</summary>\n{}</details>\n",
                     html_text(title), content);
}

std::string html_fold(const std::string& title, const Table& table) {
  return table.rows.empty() ? "" : html_fold(title, html_table(table));
}

std::string html_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += "<li>" + html_text(item) + "</li>\n";
  return out.empty() ? out : "<ul>\n" + out + "</ul>\n";
}

std::string html_links(const std::vector<std::string>& files) {
  std::string items;
  for (const std::string& file : files)
    items += fmt::format("<li><a href=\"{0}\">{0}</a></li>\n", html_text(file));
  return items.empty() ? "" : "<ul class=\"files\">\n" + items + "</ul>\n";
}

std::string html_table(const Table& table) {
  std::string out = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\n"
      "<caption><span>{0}</span></caption>\n<thead>{1}</thead>\n<tbody>\n",
      html_text(table.caption), heading_rows(table));
  const bool runs = has_runs(table);
  const std::string* last = nullptr;
  for (const auto& row : table.rows) {
    const bool next = runs && last != nullptr && row.front() != *last;
    out += next ? "<tr class=\"next\">" : "<tr>";
    last = &row.front();
    for (std::size_t i = 0; i < row.size(); ++i)
      out += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", html_text(row[i]))
                    : fmt::format("<td{}>{}</td>", column_class(table, i), html_text(row[i]));
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string html_table_if_any(const Table& table) {
  return table.rows.empty() ? "" : html_table(table);
}

}  // namespace niah::reports
