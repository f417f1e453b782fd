#include "reports/export/results_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "reports/analysis/served_words.h"
#include "reports/journal_reader.h"
#include "reports/json_fields.h"

namespace niah::reports {
namespace {

using nlohmann::json;

/// The value on one line. Bytes that are not UTF-8, as in a path in the run's description, become
/// U+FFFD.
std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json to_json_sample(const Outcome& sample) {
  return {sample.index, sample.depth, fmt::format("{:016x}", sample.prompt),
          sample.scored ? json(sample.hit ? 1 : 0) : json(nullptr), or_null(sample.log_prob),
          sample.real_depth};
}

json to_json_cell(const Cell& cell) {
  json out = {{"kind", cell.kind},
              {"variant", cell.variant},
              {"task", cell.task},
              {"length", cell.length},
              {"n", cell.n},
              {"hits", cell.hits},
              {"mean_score", cell.mean_score},
              {"misses", cell.misses},
              {"unmeasured", cell.unmeasured},
              {"real_length", {{"mean", cell.mean_real_length}, {"min", cell.min_real_length}}},
              {"value_log_prob_mean", or_null(cell.mean_log_prob)},
              {"value_rank_median", or_null(cell.median_rank)},
              {"samples", json::array()}};
  if (!cell.unmeasured_details.empty()) out["unmeasured_details"] = cell.unmeasured_details;
  if (cell.n > 0) {
    out["recall"] = cell.recall();
    out["interval"] = {cell.interval().low, cell.interval().high};
  }
  for (const Outcome& sample : cell.samples) out["samples"].push_back(to_json_sample(sample));
  return out;
}

json to_json_comparison(const Comparison& c) {
  json out = {{"kind", c.kind},
              {"task", c.task},
              {"length", c.length},
              {"reference", c.reference},
              {"variant", c.variant},
              {"n", c.pairs.n()},
              {"only_reference", c.pairs.only_first},
              {"only_variant", c.pairs.only_second},
              {"difference", c.pairs.difference()},
              {"p", c.p},
              {"p_holm", c.adjusted},
              {"detectable_drop", or_null(c.detectable)}};
  if (c.log_prob)
    out["value_log_prob_change"] = {
        {"mean", c.log_prob->mean},
        {"interval", {c.log_prob->interval.low, c.log_prob->interval.high}},
        {"n", c.log_prob->n}};
  return out;
}

const char* verdict_name(Recovery::Verdict verdict) {
  switch (verdict) {
    case Recovery::Verdict::kNoLoss:
      return "no_measurable_loss";
    case Recovery::Verdict::kGained:
      return "gained";
    case Recovery::Verdict::kTooFew:
      return "too_few_samples";
    case Recovery::Verdict::kRecovered:
      return "lost";
  }
  return "";
}

json to_json_recovered(const Recovered& recovered) {
  return {{"recovered_fraction", recovered.fraction},
          {"interval", {or_null(recovered.low), or_null(recovered.high)}}};
}

json to_json_recovery(const Recovery& r) {
  json out = {{"model", r.model},
              {"task", r.task},
              {"length", r.length},
              {"base", r.base},
              {"sft", r.sft},
              {"restored", r.restored},
              {"n", r.n()},
              {"base_recall", r.base_recall()},
              {"sft_recall", r.sft_recall()},
              {"restored_recall", r.restored_recall()},
              {"p", r.p},
              {"p_holm", r.adjusted},
              {"detectable_drop", or_null(r.detectable)},
              {"verdict", verdict_name(r.verdict)}};
  if (r.recovered) out.update(to_json_recovered(*r.recovered));
  return out;
}

json to_json_trend(const TaskTrend& t) {
  const auto trend = [](const std::optional<Trend>& value) {
    return value ? json{{"z", value->z}, {"p", value->p}} : json(nullptr);
  };
  return {{"variant", t.variant},
          {"task", t.task},
          {"by_length", trend(t.by_length)},
          {"by_depth", trend(t.by_depth)},
          {"effective_length", or_null(t.effective.length)},
          {"effective_length_interval", {or_null(t.effective.low), or_null(t.effective.high)}},
          {"effective_bar",
           {{"recall", kEffectiveRecall}, {"of", t.is_effective_of_base ? "base" : "all"}}}};
}

json to_json_texts(const TextAgreement& texts) {
  return {{"compared", texts.compared},
          {"equal", texts.equal},
          {"earliest_difference", or_null(texts.earliest)},
          {"median_difference", or_null(texts.median)}};
}

/// The fields that a served cell, a depth band and the total have in common.
json to_json_pairs(const PairCounts& pairs, const TextAgreement& texts) {
  return {{"n", pairs.n()},
          {"local_hits", pairs.first_hits()},
          {"served_hits", pairs.second_hits()},
          {"only_local", pairs.only_first},
          {"only_served", pairs.only_second},
          {"texts", to_json_texts(texts)}};
}

json to_json_served(const ServedComparison& comparison) {
  json out = to_json_pairs(comparison.pairs, comparison.texts);
  out["variant"] = comparison.variant;
  out["local"] = comparison.local.empty() ? json(nullptr) : json(comparison.local);
  out["verdict"] = served_verdict_name(comparison.verdict);
  out["p"] = comparison.p;
  out["p_adjusted"] = comparison.adjusted;
  out["detectable_drop"] = or_null(comparison.detectable);
  out["asked"] = comparison.asked;
  out["unmeasured"] = comparison.unmeasured;
  out["answered_by"] = comparison.answered_by;
  out["asked_twice"] = comparison.asked_twice;
  out["answered_otherwise"] = comparison.answered_otherwise;
  out["failed_again"] = comparison.failed_again;
  out["cells"] = json::array();
  for (const ServedCell& cell : comparison.cells) {
    json one = to_json_pairs(cell.pairs, cell.texts);
    one.update({{"task", cell.task},
                {"length", cell.length},
                {"p", cell.p},
                {"p_adjusted", cell.adjusted},
                {"unmeasured", cell.unmeasured}});
    out["cells"].push_back(std::move(one));
  }
  out["depths"] = json::array();
  for (const ServedBand& band : comparison.bands) {
    json one = to_json_pairs(band.pairs, band.texts);
    one.update({{"low", band.low}, {"high", band.high}});
    out["depths"].push_back(std::move(one));
  }
  return out;
}

json to_json_effect(const PartEffect& effect) {
  json out = to_json_recovered(effect.recovered);
  out["variant"] = effect.variant;
  out["part"] = effect.part;
  return out;
}

json to_json_attribution(const Attribution& attribution) {
  json out = {{"model", attribution.model},
              {"alone", json::array()},
              {"all_but", json::array()},
              {"path", json::array()}};
  for (const PartEffect& effect : attribution.alone) out["alone"].push_back(to_json_effect(effect));
  for (const PartEffect& effect : attribution.all_but)
    out["all_but"].push_back(to_json_effect(effect));
  if (!attribution.path.is_followed()) return out;
  for (const PathStep& step : attribution.path.steps) {
    json one = to_json_effect(step.effect);
    one.update({{"added", step.added}, {"asked", step.asked}, {"p_adjusted", step.p}});
    out["path"].push_back(std::move(one));
  }
  return out;
}

template <typename T>
std::string lines(const std::vector<T>& items, json (*convert)(const T&)) {
  std::string out;
  for (const T& item : items) out += (out.empty() ? "\n" : ",\n") + text_of(convert(item));
  return "[" + out + "\n]";
}

[[noreturn]] void refuse_sample(const json& row) {
  throw DataError(
      fmt::format("reading a cell: the sample {} is not [index, depth, 16 hex digits "
                  "of the prompt's hash, 1 or 0 or null, log-probability or null, real depth]",
                  row.is_array() && row.size() < 8 ? row.dump().substr(0, 100) : excerpt(row)));
}

Outcome to_sample(const json& row) {
  constexpr std::size_t kOfEarlierVersions = 5;  // without the real depth
  const bool shaped = row.is_array() && (row.size() == 6 || row.size() == kOfEarlierVersions) &&
                      row[0].is_number_unsigned() && row[1].is_number() && row[2].is_string() &&
                      (row[3].is_null() || row[3] == 0 || row[3] == 1) &&
                      (row[4].is_null() || row[4].is_number());
  if (!shaped) refuse_sample(row);
  const auto& prompt = row[2].get_ref<const std::string&>();
  if (prompt.size() != 16 || prompt.find_first_not_of("0123456789abcdef") != std::string::npos ||
      row[0].get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    refuse_sample(row);
  Outcome sample;
  sample.index = row[0];
  sample.depth = row[1];
  sample.prompt = std::stoull(prompt, nullptr, 16);
  sample.scored = !row[3].is_null();
  sample.hit = row[3] == 1;
  if (!row[4].is_null()) sample.log_prob = row[4].get<double>();
  sample.real_depth = sample.depth;
  if (row.size() > kOfEarlierVersions) {
    if (!row.back().is_number()) refuse_sample(row);
    sample.real_depth = row.back();
  }
  for (const double depth : {sample.depth, sample.real_depth})
    if (!(depth >= 0 && depth <= 100)) refuse_sample(row);
  return sample;
}

void refuse_contradictions(const Cell& cell) {
  std::int64_t n = 0;
  std::int64_t hits = 0;
  std::int64_t last = -1;
  for (const Outcome& sample : cell.samples) {
    if (sample.index <= last)
      throw DataError(fmt::format("reading the cell {} {}: sample {} stands after sample {}",
                                  cell.task, cell.length, sample.index, last));
    last = sample.index;
    n += sample.scored ? 1 : 0;
    hits += sample.scored && sample.hit ? 1 : 0;
  }
  if (n == cell.n && hits == cell.hits) return;
  throw DataError(
      fmt::format("reading the cell {} {}: it claims {} hits of {}, its samples have {} of {}",
                  cell.task, cell.length, cell.hits, cell.n, hits, n));
}

Cell to_cell(const json& object) {
  FieldReader read(object, "a cell");
  Cell cell;
  cell.kind = read.text("kind");
  cell.variant = read.text("variant");
  cell.task = read.text("task");
  cell.length = read.integer("length");
  cell.n = read.integer("n");
  cell.hits = read.integer("hits", 0, cell.n);
  cell.mean_score = read.number("mean_score", 0, 1);
  for (auto& [miss, count] : read.counts("misses")) cell.misses[miss] = count;
  for (auto& [reason, count] : read.counts("unmeasured")) cell.unmeasured[reason] = count;
  cell.unmeasured_details = read.optional_text_map("unmeasured_details");
  FieldReader real_length(read.object("real_length"), "a cell's real length");
  cell.mean_real_length = real_length.number("mean", 0, kUnbounded);
  cell.min_real_length = real_length.integer("min");
  cell.mean_log_prob = read.optional_number("value_log_prob_mean", -kUnbounded, 0);
  cell.median_rank = read.optional_number("value_rank_median", 1, kUnbounded);
  for (const auto& row : read.array("samples")) cell.samples.push_back(to_sample(row));
  refuse_contradictions(cell);
  return cell;
}

Results to_results(const json& document) {
  FieldReader read(document, "results");
  const std::string schema = read.text("schema");
  if (schema != kResultsSchema)
    throw DataError(
        fmt::format("its schema is \"{}\", this program reads \"{}\"; draw it again "
                    "from its journal with `niah report`",
                    schema.substr(0, 40), kResultsSchema));
  FieldReader timing(read.object("timing"), "the timing");
  json run = read.object("run");
  run["started"] = timing.text("started");
  run["finished"] = timing.text("finished");
  Results results;
  results.run = run.get<RunInfo>();
  results.seconds = timing.number("seconds", 0, kUnbounded);
  results.computed_tokens = timing.integer("computed_tokens");
  results.ignored = read.integer("ignored_records");
  results.journal_records = read.optional_integer("journal_records", 0);
  if (document.contains("left_out"))
    for (auto& [what, count] : read.counts("left_out")) results.left_out[what] = count;
  for (const auto& cell : read.array("cells")) results.cells.push_back(to_cell(cell));
  return results;
}

}  // namespace

std::string results_json(const Results& results, const Analysis& analysis) {
  json run = results.run;
  const json timing = {{"started", run.at("started")},
                       {"finished", run.at("finished")},
                       {"seconds", results.seconds},
                       {"computed_tokens", results.computed_tokens}};
  run.erase("started");
  run.erase("finished");
  const std::string served =
      analysis.served.empty()
          ? ""
          : fmt::format("\"served\": {},\n", lines(analysis.served, to_json_served));
  const std::string attributed =
      analysis.attributions.empty()
          ? ""
          : fmt::format("\"attributions\": {},\n",
                        lines(analysis.attributions, to_json_attribution));
  return fmt::format(
      "{{\n\"schema\": \"{}\",\n\"run\": {},\n\"journal_records\": {},\n"
      "\"ignored_records\": {},\n\"left_out\": {},\n\"cells\": {},\n"
      "\"comparisons\": {},\n\"recoveries\": {},\n\"trends\": {},\n{}{}\"timing\": {}\n}}\n",
      kResultsSchema, text_of(run), text_of(or_null(results.journal_records)), results.ignored,
      text_of(results.left_out), lines(results.cells, to_json_cell),
      lines(analysis.comparisons, to_json_comparison), lines(analysis.recoveries, to_json_recovery),
      lines(analysis.trends, to_json_trend), attributed, served, text_of(timing));
}

Results parse_results(std::string_view text, const std::string& name) {
  try {
    return to_results(parse_json(text));
  } catch (const DataError& error) {
    throw DataError(fmt::format("reading {}: {}", name, error.what()));
  }
}

Results read_results(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "results.json" : path;
  return parse_results(read_file(file, "reading results"), file.string());
}

bool is_drawn_from(const Results& results, const std::filesystem::path& journal) {
  if (results.journal_records) {
    const JournalEnd end = read_lines(journal, "journal", kMaxRecordBytes, [](auto, auto) {});
    return end.records == *results.journal_records;
  }
  Collector collector(results.run);
  read_records(journal, [&](const Record& record) { collector.add(record); });
  const Results now = std::move(collector).finish();
  return std::equal(now.cells.begin(), now.cells.end(), results.cells.begin(), results.cells.end(),
                    [](const Cell& a, const Cell& b) { return a.samples == b.samples; });
}

}  // namespace niah::reports
