#include "reports/gate/evidence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "harness/base/path_kind.h"
#include "harness/base/shell.h"
#include "harness/base/text.h"
#include "reports/analysis/checkpoint_place.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"
#include "reports/journal_reader.h"

namespace niah::reports {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostOfAnswer = 80;  // code points

std::string variant_words(const RunInfo& run, const VariantInfo& variant) {
  std::vector<std::string> parts = {label_of(run, variant)};
  const std::string place = variant.server.empty() ? checkpoint_of(run, variant) : variant.server;
  if (!place.empty()) parts.push_back(place);
  parts.push_back(hash_words(variant));
  return fmt::format("{} {} ({})", variant.model, variant.name, fmt::join(parts, ", "));
}

GateSide side_of(const VariantPairs& variants, const RunInfo& run,
                 const VariantInfo* VariantPair::*which) {
  GateSide side;
  side.finished = run.finished;
  side.arithmetic = arithmetic_words(run);
  for (const VariantPair& pair : variants.pairs)
    if (pair.*which != nullptr) side.variants.push_back(variant_words(run, *(pair.*which)));
  return side;
}

/// Calls `visit` with each cell and sample of the verdict that a record is of.
void visit_shown(Verdict& verdict, const Record& record, std::string GateCell::*variant,
                 const std::function<void(TurnedSample&)>& visit) {
  for (GateCell& cell : verdict.cells) {
    const bool is_of_cell = cell.*variant == record.variant && cell.kind == record.kind &&
                            cell.task == record.task && cell.length == record.length;
    if (!is_of_cell) continue;
    for (auto* turned : {&cell.lost, &cell.gained})
      for (std::size_t i = 0; i < std::min(kMostListed, turned->size()); ++i)
        if ((*turned)[i].index == record.index) visit((*turned)[i]);
  }
}

std::string answer_words(const std::string& answer) {
  return fmt::format("\"{}\"", shorten(one_line(valid_utf8(answer)), kMostOfAnswer));
}

void add_sample(const Verdict& verdict, const GateCell& cell, const TurnedSample& sample,
                std::string_view what, std::vector<std::string>& lines) {
  const std::string id = sample_id(cell.task, cell.length, sample.index);
  std::string line = fmt::format("{} {}", what, id);
  if (cell.length > 0) line += fmt::format(" at depth {:.0f} %", sample.depth);
  if (!sample.expected.empty()) line += fmt::format(": {} was asked for", sample.expected);
  if (!sample.before.empty())
    line += fmt::format("; the baseline said {}", answer_words(sample.before));
  if (!sample.now.empty()) line += fmt::format("; this run said {}", answer_words(sample.now));
  lines.push_back(line);
  for (const std::string& command : sample_commands(verdict, id)) lines.push_back("  " + command);
}

}  // namespace

void find_turned(const Cell& baseline, const Cell& current, GateCell& cell) {
  for_each_match({&baseline, &current}, [&](const std::vector<const Outcome*>& outcomes) {
    const Outcome &before = *outcomes[0], &now = *outcomes[1];
    if (before.hit == now.hit) return;
    (before.hit ? cell.lost : cell.gained).push_back({now.index, now.real_depth});
  });
}

void describe_sides(const VariantPairs& variants, const RunInfo& baseline, const RunInfo& current,
                    Verdict& verdict) {
  verdict.baseline = side_of(variants, baseline, &VariantPair::baseline);
  verdict.current = side_of(variants, current, &VariantPair::current);
}

void add_evidence(const fs::path& baseline_journal, const fs::path& current_journal,
                  Verdict& verdict) {
  if (is_there(baseline_journal))
    read_records(baseline_journal, [&](const Record& record) {
      visit_shown(verdict, record, &GateCell::baseline,
                  [&](TurnedSample& sample) { sample.before = record.text; });
    });
  if (!is_there(current_journal)) return;
  std::map<std::tuple<std::string, std::string, std::string, std::int64_t>, double> seconds;
  read_records(current_journal, [&](const Record& record) {
    seconds[{record.kind, record.variant, record.task, record.length}] += record.seconds;
    visit_shown(verdict, record, &GateCell::current, [&](TurnedSample& sample) {
      sample.now = record.text;
      sample.expected = fmt::format("{}", fmt::join(record.expected, ", "));
    });
  });
  for (GateCell& cell : verdict.cells) {
    const auto known = seconds.find({cell.kind, cell.current, cell.task, cell.length});
    if (known != seconds.end()) cell.seconds = known->second;
  }
}

std::string side_words(const GateSide& side) {
  return fmt::format("{}, ended {}{}: {}", side.place, side.finished,
                     side.arithmetic.empty() ? "" : ", " + side.arithmetic,
                     fmt::join(side.variants, "; "));
}

std::vector<std::string> sample_commands(const Verdict& verdict, const std::string& id) {
  if (verdict.current.place.empty()) return {};
  const std::string run = shell_quoted(verdict.current.place);
  return {fmt::format("niah show {} '{}'", run, id), fmt::format("niah replay {} '{}'", run, id)};
}

std::vector<std::string> sample_lines(const Verdict& verdict, const GateCell& cell) {
  std::vector<std::string> lines;
  if (cell.lost.empty()) return lines;
  lines.push_back(fmt::format("{} lost, {} gained", counted(std::ssize(cell.lost), "sample"),
                              cell.gained.size()));
  const auto add = [&](const std::vector<TurnedSample>& samples, std::string_view what) {
    for (std::size_t i = 0; i < std::min(kMostShown, samples.size()); ++i)
      add_sample(verdict, cell, samples[i], what, lines);
  };
  add(cell.lost, "lost");
  add(cell.gained, "gained");
  return lines;
}

}  // namespace niah::reports
