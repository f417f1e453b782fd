#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "harness/base/text.h"
#include "reports/draw/table.h"
#include "reports/format.h"
#include "reports/gate/evidence.h"
#include "reports/gate/gate.h"
#include "reports/gate/gate_words.h"

namespace niah::reports {
namespace {

/// How small a drop a cell without further words would have shown.
std::string shown_drop(const GateCell& cell, std::int64_t tests) {
  if (!cell.detectable || !cell.reason.empty()) return "";
  return fmt::format(", shows a drop of {} points in {}", detectable_points(*cell.detectable),
                     among_tests(tests));
}

/// Added to the line of a passing cell whose expected value became less likely, since recall may
/// drop next.
std::string drift_warning(const GateCell& cell) {
  constexpr double kSmallest = 0.005;  // what is shown as 0.00 is no hint
  if (cell.outcome != GateOutcome::kPass || !cell.log_prob || cell.log_prob->interval.high >= 0 ||
      cell.log_prob->mean > -kSmallest)
    return "";
  return fmt::format("; the value's log-probability fell by {:.2f} nats", -cell.log_prob->mean);
}

/// A cell's line, without its outcome.
std::string cell_words(const GateCell& cell, std::int64_t tests) {
  return fmt::format("{}: {} (n = {}{}){}{}", cell_name(cell), recall_change(cell.pairs),
                     cell.pairs.n(), shown_drop(cell, tests),
                     cell.reason.empty() ? "" : ": " + cell.reason, drift_warning(cell));
}

/// Many inconclusive cells in one line: the first names, and what the others would say together.
std::string inconclusive_words(const Verdict& verdict, const std::vector<const GateCell*>& cells,
                               std::size_t named) {
  std::vector<std::string> names;
  std::int64_t smallest = cells.front()->pairs.n(), largest = smallest, fell = 0;
  for (const GateCell* cell : cells) {
    if (names.size() < named) names.push_back(cell_name(*cell));
    smallest = std::min(smallest, cell->pairs.n());
    largest = std::max(largest, cell->pairs.n());
    const PairCounts& pairs = cell->pairs;
    const DropRule rule{.max_drop = verdict.options.max_drop_of(cell->task, cell->length)};
    fell += rule.is_large(pairs.only_first, pairs.only_second, pairs.n()) ? 1 : 0;
  }
  const std::string n = smallest == largest ? fmt::format("{}", smallest)
                                            : fmt::format("{} to {}", smallest, largest);
  return fmt::format(
      "{} cells: {} and {} more (n = {}): too few samples for {}{}; --summary or --junit lists "
      "them",
      cells.size(), fmt::join(names, ", "), cells.size() - names.size(), n,
      counted(verdict.cell_tests, "test"),
      fell > 0
          ? fmt::format("; in {} of them recall fell by more than {}, which may be chance", fell,
                        verdict.options.tolerances.empty()
                            ? percent(verdict.options.max_drop, 0) + " points"
                            : "is tolerated")
          : "");
}

/// The most cells whose samples a terminal or a summary shows.
constexpr std::size_t kMostWithSamples = 3;

/// Of the cells with the largest losses the samples that were lost, as they are typed.
std::string samples_markdown(const Verdict& verdict) {
  std::string out;
  const std::vector<const GateCell*> cells = cells_of(verdict, GateOutcome::kRegression);
  for (std::size_t i = 0; i < std::min(kMostWithSamples, cells.size()); ++i) {
    out += fmt::format("\n**{}**\n\n", markdown_text(cell_name(*cells[i])));
    for (const std::string& line : sample_lines(verdict, *cells[i]))
      out += "    " + one_line(valid_utf8(line)) + "\n";
  }
  return out.empty() ? out : out + "\n";
}

/// The path as the target of a link, percent-encoded.
std::string link_target(std::string_view path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string target;
  for (const char c : path)
    target += kPlain.find(c) != std::string_view::npos
                  ? std::string(1, c)
                  : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return target;
}

/// A link from the summary `file` to the page; nothing where there is no page.
std::string page_markdown(const std::string& page, const std::filesystem::path& file) {
  if (page.empty()) return "";
  std::error_code unknown;
  const auto relative =
      std::filesystem::proximate(page, file.has_parent_path() ? file.parent_path() : ".", unknown);
  return fmt::format("[{}]({})", markdown_text(page),
                     link_target(unknown || relative.empty() ? page : relative.string()));
}

/// One line a cell and a regressed band, worst first, and what was compared.
std::string detail_lines(const Verdict& verdict) {
  constexpr std::size_t kMostInconclusive = 3;  // more are one line
  std::string out;
  const auto add = [&](const std::string& line) { out += one_line(valid_utf8(line)) + "\n"; };
  for (const GateOutcome outcome : kWorstFirst) {
    const std::vector<const GateCell*> cells = cells_of(verdict, outcome);
    const std::string begin = fmt::format("{:<13} ", gate_outcome_name(outcome));
    if (outcome == GateOutcome::kInconclusive && cells.size() > kMostInconclusive) {
      add(begin + inconclusive_words(verdict, cells, kMostInconclusive));
      continue;
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      add(begin + cell_words(*cells[i], verdict.cell_tests));
      if (outcome != GateOutcome::kRegression || i >= kMostWithSamples) continue;
      for (const std::string& line : sample_lines(verdict, *cells[i])) add("  " + line);
    }
    if (outcome != GateOutcome::kRegression) continue;
    for (const GateBand& band : shown_bands(verdict))
      add(fmt::format("{}{}: {} (n = {}, {})", begin, whole_band_name(band),
                      recall_change(band.pairs), band.pairs.n(), p_words(band.adjusted)));
  }
  for (const std::string& note : verdict.notes) add("note: " + note);
  for (const std::string& line : side_lines(verdict)) add(line);
  if (!verdict.page.empty()) add("page: " + verdict.page);
  return out;
}

}  // namespace

std::string gate_markdown(const Verdict& verdict, const std::filesystem::path& file) {
  std::string out = fmt::format("## {}\n\n{}.\n\n", gate_headline(verdict), gate_tally(verdict));
  for (const std::string& line : side_lines(verdict)) out += "- " + markdown_text(line) + "\n";
  const std::string page = page_markdown(verdict.page, file);
  if (!page.empty()) out += "- page: " + page + "\n";
  if (!verdict.current.place.empty()) out += "\n";
  out +=
      markdown(gate_table(verdict)) + "\n" + samples_markdown(verdict) + gate_rules(verdict) + "\n";
  for (const std::string& note : verdict.notes) out += "\n" + note + "\n";
  return out;
}

std::string refusal_markdown(const std::string& reason, const std::string& page,
                             const std::filesystem::path& file) {
  const std::string link = page_markdown(page, file);
  return fmt::format("## Not compared: {}\n\nNothing is known of tonight's recall.\n{}",
                     markdown_text(reason), link.empty() ? "" : "\n- page: " + link + "\n");
}

std::string gate_lines(const Verdict& verdict) {
  return detail_lines(verdict) + gate_headline(verdict) + ". " + gate_tally(verdict) + ".\n";
}

std::string gate_report(const Verdict& verdict) {
  return gate_headline(verdict) + ". " + gate_tally(verdict) + ".\n" + detail_lines(verdict);
}

}  // namespace niah::reports
