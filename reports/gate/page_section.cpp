#include "reports/gate/page_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/base/text.h"
#include "reports/analysis/variant_labels.h"
#include "reports/draw/html.h"
#include "reports/format.h"
#include "reports/gate/evidence.h"
#include "reports/gate/gate_words.h"
#include "reports/gate/variant_pairs.h"

namespace niah::reports {
namespace {

/// The class of a verdict's box. Only a night on which nothing was lost is green.
std::string_view verdict_class(const Verdict& verdict) {
  if (verdict.is_inconclusive()) return "unknown";
  switch (verdict.exit_code()) {
    case ExitCode::kOk:
      return "passed";
    case ExitCode::kCheckFailed:
      return "lost";
    default:
      return "unknown";
  }
}

std::string verdict_box(std::string_view css, const std::string& headline,
                        const std::string& content) {
  return fmt::format(
      "<section class=\"answer verdict {}\" id=\"verdict\" aria-label=\"The verdict\">\n"
      "<p class=\"headline\">{}</p>\n{}</section>\n",
      css, html_text(headline), content);
}

/// All cells in a fold, and before it those that are not a pass.
std::string cells_of_verdict(const Verdict& verdict) {
  const Table all = gate_table(verdict);
  Table open = all;
  std::erase_if(open.rows, [](const std::vector<std::string>& row) {
    return row.front() == gate_outcome_name(GateOutcome::kPass);
  });
  if (open.rows.size() == all.rows.size()) return html_table_if_any(all);
  return html_table_if_any(open) + html_fold("All cells that were compared", all);
}

std::string verdict_section(const Verdicts& verdicts) {
  const Verdict& verdict = worst_of(verdicts);
  std::string all = html_list(comparison_lines(verdicts));
  if (!all.empty())
    all += "<p>What follows is of the worst of these comparisons, the first if several are.</p>\n";
  std::vector<std::string> lines = side_lines(verdict);
  lines.insert(lines.end(), verdict.notes.begin(), verdict.notes.end());
  return verdict_box(verdict_class(verdict), verdicts_headline(verdicts) + ".",
                     all + html_list(lines) + cells_of_verdict(verdict) + "<p class=\"note\">" +
                         html_text(gate_rules(verdict)) + "</p>\n");
}

/// "n = 12 a square", "n = 10 to 14 a square"; empty where nothing is in both runs.
std::string samples_of(const Heatmap& map) {
  std::int64_t least = 0, most = 0;
  for (const auto& row : map.cells)
    for (const HeatmapCell& cell : row) {
      if (!cell.value) continue;
      least = least == 0 ? cell.n : std::min(least, cell.n);
      most = std::max(most, cell.n);
    }
  if (most == 0) return "";
  return least == most ? fmt::format("n = {} a square", most)
                       : fmt::format("n = {} to {} a square", least, most);
}

std::vector<BaselineMap> maps_of(const Results& baseline, const Results& current,
                                 const std::string& served_as) {
  std::vector<BaselineMap> maps;
  const VariantPairs variants = pair_variants(baseline.run, current.run, served_as);
  for (const std::string& task : baseline.run.tasks)
    for (const VariantPair& pair : variants.pairs) {
      if (pair.current == nullptr) continue;
      Heatmap map = difference_heatmap({baseline, *pair.baseline}, {current, *pair.current}, task);
      const std::string samples = samples_of(map);
      if (samples.empty()) continue;
      const std::string label = label_of(current.run, *pair.current);
      map.id = fmt::format("baseline-{}", maps.size());
      map.title = fmt::format("{}: {}, this run minus the baseline", task_label(task), label);
      maps.push_back({task, label, samples, std::move(map)});
    }
  return maps;
}

/// What either run said, as far as their journals know it.
std::string turned_answers(const TurnedSample& sample, bool is_lost) {
  const auto code = [](const std::string& text) {
    return "<code>" + html_foreign(text) + "</code>";
  };
  std::vector<std::string> parts;
  if (!sample.expected.empty()) parts.push_back("expected " + code(sample.expected));
  parts.push_back(sample.before.empty()
                      ? std::string(is_lost ? "the baseline found it" : "the baseline missed it")
                      : "the baseline said " + code(sample.before));
  parts.push_back(sample.now.empty()
                      ? std::string(is_lost ? "this run missed it" : "this run found it")
                      : "this run said " + code(sample.now));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string sample_item(const Verdict& verdict, const GateCell& cell, const TurnedSample& sample,
                        bool is_lost) {
  const std::string id = sample_id(cell.task, cell.length, sample.index);
  const std::string depth =
      cell.length > 0 ? fmt::format(", depth {:.0f}&nbsp;%", sample.depth) : "";
  const std::string commands = fmt::format("{}", fmt::join(sample_commands(verdict, id), "\n"));
  return fmt::format("<li><span class=\"where\">{} <code>{}</code>{}</span>{}{}</li>\n",
                     is_lost ? "lost" : "gained", escape_html(id), depth,
                     turned_answers(sample, is_lost),
                     commands.empty() ? "" : "\n<pre>" + escape_html(commands) + "</pre>");
}

const std::vector<TurnedSample>& turned_of(const GateCell& cell, bool is_lost) {
  return is_lost ? cell.lost : cell.gained;
}

/// The samples from number `from` to before number `to`, with their answers.
std::string sample_list(const Verdict& verdict, const GateCell& cell, bool is_lost,
                        std::size_t from, std::size_t to) {
  const std::vector<TurnedSample>& samples = turned_of(cell, is_lost);
  std::string items;
  for (std::size_t i = from; i < std::min(to, samples.size()); ++i)
    items += sample_item(verdict, cell, samples[i], is_lost);
  return items.empty() ? items : "<ul class=\"misses\">\n" + items + "</ul>\n";
}

/// The samples from number `from` to the last: those beyond kMostListed by their names alone.
std::string rest_of_samples(const Verdict& verdict, const GateCell& cell, bool is_lost,
                            std::size_t from) {
  const std::vector<TurnedSample>& samples = turned_of(cell, is_lost);
  std::string names;
  for (std::size_t i = kMostListed; i < samples.size(); ++i)
    names += (names.empty() ? "" : ", ") + sample_id(cell.task, cell.length, samples[i].index);
  return sample_list(verdict, cell, is_lost, from, kMostListed) +
         (names.empty() ? "" : "<p>Without their answers: " + escape_html(names) + "</p>\n");
}

/// What turned in a cell: open where it lost recall, else in a fold.
std::string turned_in(const Verdict& verdict, const GateCell& cell) {
  if (cell.lost.empty() && cell.gained.empty()) return "";
  const std::string words = fmt::format(
      "{} lost, {} gained", counted(std::ssize(cell.lost), "sample"), cell.gained.size());
  if (cell.outcome != GateOutcome::kRegression)
    return html_fold(cell_name(cell) + ": " + words, rest_of_samples(verdict, cell, true, 0) +
                                                         rest_of_samples(verdict, cell, false, 0));
  return fmt::format("<h3>{} <span>{}</span></h3>\n", html_text(cell_name(cell)),
                     html_text(words)) +
         sample_list(verdict, cell, true, 0, kMostShown) +
         html_fold("The other lost samples", rest_of_samples(verdict, cell, true, kMostShown)) +
         html_fold("The gained samples", rest_of_samples(verdict, cell, false, 0));
}

}  // namespace

BaselineSections baseline_sections(const std::vector<Results>& baselines, const Results& current,
                                   const Verdicts& verdicts) {
  const Verdict& verdict = worst_of(verdicts);
  const Results& baseline = baselines.at(static_cast<std::size_t>(&verdict - verdicts.data()));
  BaselineSections sections;
  sections.verdict = verdict_section(verdicts);
  sections.maps = maps_of(baseline, current, verdict.options.served_as);
  for (const GateOutcome outcome : kWorstFirst)
    for (const GateCell* cell : cells_of(verdict, outcome))
      sections.samples += turned_in(verdict, *cell);
  return sections;
}

BaselineSections refused_sections(const std::string& reason) {
  return {.verdict = verdict_box(
              "unknown", "Not compared with the baseline: " + reason,
              "<p>Whether recall was lost is not known. What follows is what the records of this "
              "run tell by themselves.</p>\n"),
          .maps = {},
          .samples = ""};
}

std::string_view verdict_style() {
  return ".verdict{border-left-width:6px}.verdict.lost{border-color:#d1242f}"
         ".verdict td:last-child{white-space:normal;min-width:14em}"
         ".verdict.unknown{border-color:var(--warn-line)}.verdict.passed{border-color:#1a7f37}\n";
}

}  // namespace niah::reports
