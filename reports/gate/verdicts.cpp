#include "reports/gate/verdicts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "harness/base/text.h"
#include "reports/draw/table.h"
#include "reports/format.h"
#include "reports/gate/gate_words.h"

namespace niah::reports {
namespace {

/// 0 for the worst.
std::ptrdiff_t rank_of(GateOutcome outcome) {
  return std::find(kWorstFirst.begin(), kWorstFirst.end(), outcome) - kWorstFirst.begin();
}

std::ptrdiff_t rank_of(const std::string& outcome) {
  const auto found = std::find_if(kWorstFirst.begin(), kWorstFirst.end(), [&](GateOutcome one) {
    return gate_outcome_name(one) == outcome;
  });
  return found - kWorstFirst.begin();
}

std::string baseline_words(const Verdict& verdict) {
  return fmt::format("{} (ended {})", verdict.baseline.place, verdict.baseline.finished);
}

/// `text` of each verdict, under a line that names its baseline.
template <typename Text>
std::string by_baseline(const Verdicts& verdicts, const Text& text) {
  std::vector<std::string> blocks;
  for (std::size_t i = 0; i < verdicts.size(); ++i)
    blocks.push_back(fmt::format("comparison {} of {}, with {}\n{}", i + 1, verdicts.size(),
                                 one_line(valid_utf8(baseline_words(verdicts[i]))),
                                 text(verdicts[i])));
  return fmt::format("{}", fmt::join(blocks, "\n"));
}

std::string headline_line(const Verdicts& verdicts) {
  return one_line(valid_utf8(verdicts_headline(verdicts))) + ".\n";
}

NightCell* find_cell(GateRun& night, const NightCell& cell) {
  const auto found =
      std::find_if(night.cells.begin(), night.cells.end(), [&](const NightCell& one) {
        return one.kind == cell.kind && one.model == cell.model && one.variant == cell.variant &&
               one.task == cell.task && one.length == cell.length;
      });
  return found == night.cells.end() ? nullptr : &*found;
}

void add_comparison(const GateRun& one, const std::string& baseline, GateRun& night) {
  for (const NightCell& cell : one.cells) {
    NightCell* known = find_cell(night, cell);
    if (known == nullptr)
      night.cells.push_back(cell);
    else if (rank_of(cell.outcome) < rank_of(known->outcome))
      known->outcome = cell.outcome;
  }
  for (const std::string& regression : one.regressions)
    night.regressions.push_back(fmt::format("{} (against {})", regression, baseline));
}

}  // namespace

const Verdict& worst_of(const Verdicts& verdicts) {
  return *std::min_element(verdicts.begin(), verdicts.end(),
                           [](const Verdict& a, const Verdict& b) {
                             return rank_of(a.outcome()) < rank_of(b.outcome());
                           });
}

std::string gate_lines(const Verdicts& verdicts) {
  if (verdicts.size() == 1) return gate_lines(verdicts.front());
  return by_baseline(verdicts, [](const Verdict& verdict) { return gate_lines(verdict); }) + "\n" +
         headline_line(verdicts);
}

std::string gate_report(const Verdicts& verdicts) {
  if (verdicts.size() == 1) return gate_report(verdicts.front());
  return headline_line(verdicts) + "\n" +
         by_baseline(verdicts, [](const Verdict& verdict) { return gate_report(verdict); });
}

std::string gate_markdown(const Verdicts& verdicts, const std::filesystem::path& file) {
  if (verdicts.size() == 1) return gate_markdown(verdicts.front(), file);
  std::string out = fmt::format("## {}\n", markdown_text(verdicts_headline(verdicts)));
  for (const Verdict& verdict : verdicts)
    out += "\n#" + gate_markdown(verdict, file);  // one level down
  return out;
}

std::string verdicts_headline(const Verdicts& verdicts) {
  const Verdict& worst = worst_of(verdicts);
  if (verdicts.size() == 1) return fmt::format("{}. {}", gate_headline(worst), gate_tally(worst));
  std::vector<std::string> against;
  for (const Verdict& verdict : verdicts)
    if (verdict.outcome() == worst.outcome()) against.push_back(baseline_words(verdict));
  if (worst.outcome() == GateOutcome::kPass)
    return fmt::format("{} against any of {} baselines", gate_headline(worst), verdicts.size());
  return fmt::format("{} against {} of {} baselines: {}", gate_headline(worst), against.size(),
                     verdicts.size(), fmt::join(against, ", "));
}

std::vector<std::string> comparison_lines(const Verdicts& verdicts) {
  std::vector<std::string> lines;
  if (verdicts.size() == 1) return lines;
  for (const Verdict& verdict : verdicts)
    lines.push_back(fmt::format("against {}: {}. {}", baseline_words(verdict),
                                gate_headline(verdict), gate_tally(verdict)));
  return lines;
}

GateRun make_night(const Verdicts& verdicts, const Results& current) {
  GateRun night = make_night(verdicts.front(), current);
  if (verdicts.size() == 1) return night;
  night.exit_code = static_cast<int>(worst_of(verdicts).exit_code());
  night.cells.clear();
  night.regressions.clear();
  for (const Verdict& verdict : verdicts)
    add_comparison(make_night(verdict, current), verdict.baseline.place, night);
  return night;
}

}  // namespace niah::reports
