#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "reports/json_fields.h"
#include "reports/record.h"

namespace niah::reports {
namespace {

using nlohmann::json;

json to_json_variant(const VariantInfo& variant) {
  return {{"fingerprint", variant.fingerprint},
          {"model", variant.model},
          {"name", variant.name},
          {"description", variant.description}};
}

VariantInfo to_variant(const json& json) {
  FieldReader read(json, "a variant of the run's description");
  return {read.text("fingerprint"), read.text("model"), read.text("name"),
          read.text("description")};
}

json to_json_figure(const PublishedFigure& figure) {
  json out = {{"model", figure.model}, {"cell", figure.cell}, {"source", figure.source}};
  if (figure.base) out["base"] = *figure.base;
  if (figure.sft) out["sft"] = *figure.sft;
  if (figure.qk) out["qk"] = *figure.qk;
  return out;
}

PublishedFigure to_figure(const json& json) {
  FieldReader read(json, "a published figure of the run's description");
  PublishedFigure figure;
  figure.model = read.text("model");
  figure.cell = read.text("cell");
  figure.base = read.optional_number("base", 0, 100);
  figure.sft = read.optional_number("sft", 0, 100);
  figure.qk = read.optional_number("qk", 0, 100);
  figure.source = read.text("source");
  return figure;
}

json to_json_curve(const GradientCurve& curve) {
  json out = {{"variant", curve.variant},
              {"pairs", curve.pairs},
              {"query", curve.query},
              {"key", curve.key}};
  if (curve.decay_query) out["decay_query"] = *curve.decay_query;
  if (curve.decay_key) out["decay_key"] = *curve.decay_key;
  return out;
}

void refuse_repeated_fingerprints(const std::vector<VariantInfo>& variants) {
  std::vector<std::string> seen;
  for (const VariantInfo& variant : variants) {
    if (std::find(seen.begin(), seen.end(), variant.fingerprint) != seen.end())
      throw DataError(
          fmt::format("reading the run's description: two variants have the "
                      "fingerprint \"{}\"; records could not be told apart",
                      variant.fingerprint.substr(0, 80)));
    seen.push_back(variant.fingerprint);
  }
}

}  // namespace

void from_json(const json& json, GradientCurve& curve) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  FieldReader read(json, "a gradient's fall with distance");
  curve.variant = read.text_or("variant", "");
  curve.pairs = read.integers("pairs");
  curve.query = read.numbers("query", 0, kLargest);
  curve.key = read.numbers("key", 0, kLargest);
  curve.decay_query = read.optional_number("decay_query", 0, kLargest);
  curve.decay_key = read.optional_number("decay_key", 0, kLargest);
  if (curve.query.size() != curve.pairs.size() || curve.key.size() != curve.pairs.size())
    throw DataError(
        fmt::format("reading a gradient's fall with distance: {} pair counts, {} values of query "
                    "and {} of key; as many were expected",
                    curve.pairs.size(), curve.query.size(), curve.key.size()));
}

void to_json(json& json, const RunInfo& info) {
  json = {{"name", info.name},
          {"title", info.title},
          {"program_version", info.program_version},
          {"protocol", info.protocol},
          {"seed", info.seed},
          {"tasks", info.tasks},
          {"lengths", info.lengths},
          {"haystack", info.haystack},
          {"tokenizer", info.tokenizer},
          {"reasoning", info.reasoning},
          {"machine", info.machine},
          {"caveats", info.caveats},
          {"started", info.started},
          {"finished", info.finished},
          {"config_json", info.config_json},
          {"variants", json::array()},
          {"published", json::array()}};
  for (const GradientCurve& curve : info.gradients)
    json["gradients"].push_back(to_json_curve(curve));
  for (const VariantInfo& variant : info.variants)
    json["variants"].push_back(to_json_variant(variant));
  for (const PublishedFigure& figure : info.published)
    json["published"].push_back(to_json_figure(figure));
}

void from_json(const json& json, RunInfo& info) {
  FieldReader read(json, "the run's description");
  info.name = read.text("name");
  info.title = read.text("title");
  info.program_version = read.text("program_version");
  info.protocol = read.text("protocol");
  info.seed = read.unsigned_integer("seed");
  info.tasks = read.texts("tasks");
  info.lengths = read.integers("lengths", 1);
  std::sort(info.lengths.begin(), info.lengths.end());
  info.haystack = read.text("haystack");
  info.tokenizer = read.text("tokenizer");
  info.reasoning =
      json.contains("reasoning") ? read.texts("reasoning") : std::vector<std::string>();
  info.machine = read.text("machine");
  info.caveats = read.texts("caveats");
  info.started = read.text("started");
  info.finished = read.text("finished");
  info.config_json = read.text("config_json");
  info.variants.clear();
  for (const auto& item : read.array("variants")) info.variants.push_back(to_variant(item));
  refuse_repeated_fingerprints(info.variants);
  info.gradients.clear();
  if (json.contains("gradients"))
    for (const auto& item : read.array("gradients"))
      info.gradients.push_back(item.get<GradientCurve>());
  info.published.clear();
  for (const auto& item : read.array("published")) info.published.push_back(to_figure(item));
}

}  // namespace niah::reports
