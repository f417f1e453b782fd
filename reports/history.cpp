#include "reports/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "reports/format.h"
#include "reports/variants.h"

namespace niah::reports {
namespace {

using nlohmann::json;

json to_line(const Night& night) {
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
  return {{"time", night.time},
          {"exit_code", night.exit_code},
          {"regressions", night.regressions},
          {"cells", cells}};
}

Night from_line(const json& line) {
  Night night;
  night.time = line.at("time").get<std::string>();
  night.exit_code = line.at("exit_code").get<int>();
  night.regressions = line.at("regressions").get<std::vector<std::string>>();
  for (const json& one : line.at("cells")) {
    NightCell cell;
    cell.kind = one.at("kind").get<std::string>();
    cell.model = one.at("model").get<std::string>();
    cell.variant = one.at("variant").get<std::string>();
    cell.task = one.at("task").get<std::string>();
    cell.length = one.at("length").get<std::int64_t>();
    cell.fingerprint = one.at("fingerprint").get<std::string>();
    cell.n = one.at("n").get<std::int64_t>();
    cell.hits = one.at("hits").get<std::int64_t>();
    cell.outcome = one.at("outcome").get<std::string>();
    if (cell.n < 0 || cell.hits < 0 || cell.hits > cell.n)
      throw DataError("the counts of a cell contradict each other");
    night.cells.push_back(std::move(cell));
  }
  return night;
}

/// Bytes of the file up to the end of its last whole line.
std::size_t whole_lines(std::string_view content) { return content.rfind('\n') + 1; }

}  // namespace

Night make_night(const Verdict& verdict, const Results& current) {
  Night night;
  night.time = current.run.finished;
  night.exit_code = static_cast<int>(verdict.exit_code());
  for (const GateCell& cell : verdict.cells) {
    NightCell one{cell.kind, cell.model,  cell.variant,
                  cell.task, cell.length, "",
                  0,         0,           gate_outcome_name(cell.outcome)};
    if (const VariantInfo* variant = find_variant(current.run, cell.model, cell.variant)) {
      one.fingerprint = variant->fingerprint;
      const Cell* measured = current.find(cell.kind, variant->fingerprint, cell.task, cell.length);
      if (measured != nullptr) {
        one.n = measured->n;
        one.hits = measured->hits;
      }
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

void append_night(const std::filesystem::path& path, const Night& night) {
  AppendFile file(path);
  const std::string content = read_file(path, "reading the history");
  if (whole_lines(content) != content.size()) file.truncate(whole_lines(content));
  for (const Night& old : read_history(path))
    if (old.time == night.time) return;
  file.append(to_line(night).dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::vector<Night> read_history(const std::filesystem::path& path) {
  std::string content = read_file(path, "reading the history");
  content.resize(whole_lines(content));
  std::vector<Night> nights;
  std::size_t begin = 0;
  for (int number = 1; begin < content.size(); ++number) {
    const std::size_t end = content.find('\n', begin);
    try {
      nights.push_back(from_line(json::parse(content.substr(begin, end - begin))));
    } catch (const std::exception& error) {
      throw DataError(fmt::format("reading the history: {}:{}: not a night ({})", path.string(),
                                  number, error.what()));
    }
    begin = end + 1;
  }
  return nights;
}

}  // namespace niah::reports
