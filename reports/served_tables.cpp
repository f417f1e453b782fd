// The tables of served variants.
#include <fmt/format.h>

#include <algorithm>

#include "reports/analysis/variant_labels.h"
#include "reports/format.h"
#include "reports/tables.h"

namespace niah::reports {
namespace {

std::string share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? kNone : percent(static_cast<double>(part) / static_cast<double>(whole));
}

std::vector<std::string> recall_columns(const PairCounts& pairs) {
  return {std::to_string(pairs.n()), share(pairs.first_hits(), pairs.n()),
          share(pairs.second_hits(), pairs.n()), std::to_string(pairs.only_first),
          std::to_string(pairs.only_second)};
}

std::vector<std::string> text_columns(const TextAgreement& texts) {
  return {std::to_string(texts.compared), share(texts.equal, texts.compared),
          texts.median ? fmt::format("{:g}", *texts.median) : kNone,
          texts.earliest ? std::to_string(*texts.earliest) : kNone};
}

void append(std::vector<std::string>& row, const std::vector<std::string>& more) {
  row.insert(row.end(), more.begin(), more.end());
}

constexpr const char* kTexts = "texts";
constexpr const char* kParting = "characters before they part";

void add_columns(Table& table, const std::vector<Column>& columns) {
  table.columns.insert(table.columns.end(), columns.begin(), columns.end());
}

const std::vector<Column>& recall_titles() {
  static const std::vector<Column> kTitles = {
      {"pairs"}, {"local %"}, {"served %"}, {"lost"}, {"gained"}};
  return kTitles;
}

const std::vector<Column>& text_titles() {
  static const std::vector<Column> kTitles = {{"compared", Align::kRight, kTexts},
                                              {"equal %", Align::kRight, kTexts},
                                              {"median", Align::kRight, kParting},
                                              {"fewest", Align::kRight, kParting}};
  return kTitles;
}

/// The figures of one cell, or of all cells together.
struct Row {
  std::string name;
  PairCounts pairs;
  double p = 1, adjusted = 1;
  TextAgreement texts;
  std::int64_t unmeasured = 0;
};

/// The rows of one served variant; none if there is no checkpoint to compare with.
std::vector<Row> rows_of(const ServedComparison& comparison) {
  std::vector<Row> rows;
  Row all{"all cells", comparison.pairs, comparison.p, comparison.adjusted, comparison.texts, 0};
  for (const ServedCell& cell : comparison.cells) {
    rows.push_back({cell_label(cell.task, cell.length), cell.pairs, cell.p, cell.adjusted,
                    cell.texts, cell.unmeasured});
    all.unmeasured += cell.unmeasured;
  }
  if (rows.size() > 1) rows.push_back(std::move(all));
  return rows;
}

}  // namespace

Table served_table(const Results& results, const Analysis& analysis) {
  Table table{"served",
              "Local against served: the checkpoint as it was run here and the server that has it, "
              "on the samples that both were scored on; exact two-sided McNemar test, adjusted "
              "(Holm over the cells; half of alpha for all cells together); texts are equal as far "
              "as both were kept",
              {{"served", Align::kLeft}, {"local", Align::kLeft}, {"cell", Align::kLeft}},
              {}};
  add_columns(table, recall_titles());
  add_columns(table, {{"p"}, {"p (adjusted)"}});
  add_columns(table, text_titles());
  add_columns(table, {{"not measured"}});
  for (const ServedComparison& comparison : analysis.served)
    for (const Row& one : rows_of(comparison)) {
      std::vector<std::string> row = {label_of(results.run, comparison.variant),
                                      label_of(results.run, comparison.local), one.name};
      append(row, recall_columns(one.pairs));
      append(row, {p_value(one.p), p_value(one.adjusted)});
      append(row, text_columns(one.texts));
      row.push_back(std::to_string(one.unmeasured));
      table.add_row(std::move(row));
    }
  return table;
}

Table compact_served_table(const Results& results, const Analysis& analysis) {
  Table table{"served", "Local against served", {{"cell", Align::kLeft}}, {}};
  const bool are_several = analysis.served.size() > 1;
  add_columns(table, recall_titles());
  add_columns(table, {{"p (adjusted)"}, {"texts equal %"}});
  for (const ServedComparison& comparison : analysis.served)
    for (const Row& one : rows_of(comparison)) {
      const std::string variant =
          are_several ? shorten(label_of(results.run, comparison.variant), 20) + " " : "";
      std::vector<std::string> row = {variant + one.name};
      append(row, recall_columns(one.pairs));
      append(row, {p_value(one.adjusted), share(one.texts.equal, one.texts.compared)});
      table.add_row(std::move(row));
    }
  return table;
}

Table served_depth_table(const Results& results, const Analysis& analysis) {
  Table table{
      "served-depth",
      "Local against served by depth of the needle (percent of the haystack), all tasks and "
      "lengths together",
      {{"served", Align::kLeft}, {"local", Align::kLeft}, {"depth", Align::kLeft}},
      {}};
  add_columns(table, recall_titles());
  add_columns(table, text_titles());
  for (const ServedComparison& comparison : analysis.served)
    for (const ServedBand& band : comparison.bands) {
      std::vector<std::string> row = {label_of(results.run, comparison.variant),
                                      label_of(results.run, comparison.local),
                                      fmt::format("{:g}–{:g}", band.low, band.high)};
      append(row, recall_columns(band.pairs));
      append(row, text_columns(band.texts));
      table.add_row(std::move(row));
    }
  return table;
}

}  // namespace niah::reports
