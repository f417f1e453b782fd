#include "reports/gate/verdict_json.h"

#include <nlohmann/json.hpp>

namespace niah::reports {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "niah-verdict/1";

json side_json(const GateSide& side) {
  return {{"place", side.place},
          {"finished", side.finished},
          {"arithmetic", side.arithmetic},
          {"variants", side.variants}};
}

void add_pairs(json& out, const PairCounts& pairs) {
  out["n"] = pairs.n();
  if (pairs.n() == 0) return;
  out["baseline_recall"] = pairs.first_recall();
  out["recall"] = pairs.second_recall();
}

json indexes_of(const std::vector<TurnedSample>& samples) {
  json indexes = json::array();
  for (const TurnedSample& sample : samples) indexes.push_back(sample.index);
  return indexes;
}

json cell_json(const GateCell& cell) {
  json out = {{"kind", cell.kind},
              {"model", cell.model},
              {"variant", cell.variant},
              {"fingerprint", cell.current},
              {"task", cell.task},
              {"length", cell.length},
              {"outcome", gate_outcome_name(cell.outcome)},
              {"reason", cell.reason},
              {"p", cell.adjusted},
              {"lost", indexes_of(cell.lost)},
              {"gained", indexes_of(cell.gained)}};
  add_pairs(out, cell.pairs);
  if (cell.detectable) out["detectable"] = *cell.detectable;
  if (cell.seconds) out["seconds"] = *cell.seconds;
  return out;
}

json band_json(const GateBand& band) {
  json out = {{"model", band.model}, {"variant", band.variant}, {"task", band.task},
              {"low", band.low},     {"high", band.high},       {"p", band.adjusted}};
  add_pairs(out, band.pairs);
  return out;
}

/// Names come from files, whatever bytes are in them.
std::string text_of_json(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json verdict_object(const Verdict& verdict) {
  json out = {{"schema", kSchema},
              {"exit_code", static_cast<int>(verdict.exit_code())},
              {"verdict", gate_outcome_name(verdict.outcome())},
              {"baseline", side_json(verdict.baseline)},
              {"run", side_json(verdict.current)},
              {"cells", json::array()},
              {"bands", json::array()},
              {"notes", verdict.notes}};
  if (!verdict.page.empty()) out["page"] = verdict.page;
  for (const GateCell& cell : verdict.cells) out["cells"].push_back(cell_json(cell));
  for (const GateBand& band : verdict.bands)
    if (band.regression) out["bands"].push_back(band_json(band));
  return out;
}

}  // namespace

std::string verdict_json(const Verdict& verdict) { return text_of_json(verdict_object(verdict)); }

std::string verdict_json(const Verdicts& verdicts) {
  if (verdicts.size() == 1) return verdict_json(verdicts.front());
  const Verdict& worst = worst_of(verdicts);
  json out = {{"schema", kSchema},
              {"exit_code", static_cast<int>(worst.exit_code())},
              {"verdict", gate_outcome_name(worst.outcome())},
              {"comparisons", json::array()}};
  if (!worst.page.empty()) out["page"] = worst.page;
  for (const Verdict& verdict : verdicts) out["comparisons"].push_back(verdict_object(verdict));
  return text_of_json(out);
}

std::string json_of_refusal(const std::string& reason, ExitCode code, const std::string& page) {
  json out = {{"schema", kSchema},
              {"exit_code", static_cast<int>(code)},
              {"verdict", "refused"},
              {"reason", reason}};
  if (!page.empty()) out["page"] = page;
  return text_of_json(out);
}

}  // namespace niah::reports
