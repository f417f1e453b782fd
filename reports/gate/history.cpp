#include "reports/gate/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "reports/format.h"
#include "reports/journal_reader.h"
#include "reports/json_fields.h"

namespace niah::reports {
namespace {

using nlohmann::json;

json to_line(const GateRun& night) {
  json cells = json::array();
  for (const NightCell& cell : night.cells)
    cells.push_back({{"kind", cell.kind},
                     {"model", cell.model},
                     {"variant", cell.variant},
                     {"task", cell.task},
                     {"length", cell.length},
                     {"fingerprint", cell.fingerprint},
                     {"n", cell.n},
                     {"hits", cell.hits},
                     {"outcome", cell.outcome}});
  json line = {{"time", night.time},
               {"exit_code", night.exit_code},
               {"regressions", night.regressions},
               {"cells", cells}};
  if (!night.refused.empty()) line["refused"] = night.refused;
  if (!night.run.empty()) line["run"] = night.run;
  return line;
}

NightCell to_night_cell(const json& one) {
  FieldReader read(one, "a cell of a night");
  NightCell cell;
  cell.kind = read.text("kind");
  cell.model = read.text("model");
  cell.variant = read.text("variant");
  cell.task = read.text("task");
  cell.length = read.integer("length");
  cell.fingerprint = read.text("fingerprint");
  cell.n = read.integer("n");
  cell.hits = read.integer("hits", 0, cell.n);
  cell.outcome = read.text("outcome");
  return cell;
}

GateRun to_night(const json& line) {
  FieldReader read(line, "a night");
  GateRun night;
  night.time = read.text("time");
  night.exit_code = static_cast<int>(read.integer("exit_code", 0, 255));
  night.regressions = read.texts("regressions");
  for (const json& cell : read.array("cells")) night.cells.push_back(to_night_cell(cell));
  night.refused = read.text_or("refused", "");
  night.run = read.text_or("run", "");
  return night;
}

/// A night of 40 cells, 12 variants and 3 tasks takes a quarter of a mebibyte.
constexpr std::size_t kMaxNightBytes = std::size_t{16} << 20;

/// Appends to `nights`; returns where the last complete line ends.
JournalEnd read_nights(const std::filesystem::path& path, std::vector<GateRun>& nights) {
  return read_lines(path, "history", kMaxNightBytes,
                    [&](std::string_view line, std::int64_t number) {
                      try {
                        nights.push_back(to_night(parse_json(line)));
                      } catch (const DataError& error) {
                        throw DataError(fmt::format("reading the history: {}:{}: not a night ({})",
                                                    path.string(), number, error.what()));
                      }
                    });
}

/// Two runs may end in the same second, and old histories do not say which run a night is of.
bool is_same(const GateRun& a, const GateRun& b) {
  const bool same_run = a.run == b.run || a.run.empty() || b.run.empty();
  return a.time == b.time && a.refused == b.refused && same_run;
}

}  // namespace

GateRun make_night(const Verdict& verdict, const Results& current) {
  GateRun night;
  night.time = current.run.finished;
  night.exit_code = static_cast<int>(verdict.exit_code());
  for (const GateCell& cell : verdict.cells) {
    NightCell one{cell.kind, cell.model,  cell.variant,
                  cell.task, cell.length, "",
                  0,         0,           gate_outcome_name(cell.outcome)};
    one.fingerprint = cell.current;
    const Cell* measured = current.find(cell.kind, cell.current, cell.task, cell.length);
    if (measured != nullptr) {
      one.n = measured->n;
      one.hits = measured->hits;
    }
    if (cell.outcome == GateOutcome::kRegression)
      night.regressions.push_back(
          fmt::format("{} {}: {}", cell.variant, cell_label(cell.task, cell.length), cell.reason));
    night.cells.push_back(std::move(one));
  }
  for (const GateBand& band : verdict.bands)
    if (band.regression)
      night.regressions.push_back(fmt::format("{} {} at depth {:g} to {:g} %: recall fell",
                                              band.variant, task_label(band.task), band.low,
                                              band.high));
  return night;
}

GateRun make_refused_night(std::string time, ExitCode code, std::string reason) {
  return {.time = std::move(time),
          .exit_code = static_cast<int>(code),
          .cells = {},
          .regressions = {},
          .refused = std::move(reason),
          .run = {}};
}

void append_night(const std::filesystem::path& path, const GateRun& night) {
  AppendFile file(path);
  std::vector<GateRun> nights;
  const JournalEnd end = read_nights(path, nights);
  // A file without a single complete night may not be a history at all.
  if (end.torn && nights.empty())
    throw DataError(
        fmt::format("adding a night to {}: it holds something that is no whole night, so it may "
                    "not be a history; give another file, or remove it",
                    path.string()));
  if (end.torn) file.truncate(end.valid_bytes);
  if (std::ranges::any_of(nights, [&](const GateRun& old) { return is_same(old, night); })) return;
  file.append(to_line(night).dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::vector<GateRun> read_history(const std::filesystem::path& path) {
  std::vector<GateRun> nights;
  read_nights(path, nights);
  return nights;
}

}  // namespace niah::reports
