#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "reports/json_fields.h"
#include "reports/record.h"

namespace niah::reports {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<Role, const char*>, 4> kRoles = {{{Role::kBase, "base"},
                                                                 {Role::kTuned, "tuned"},
                                                                 {Role::kControl, "control"},
                                                                 {Role::kRestored, "restored"}}};

json to_json_variant(const VariantInfo& variant) {
  json out = {{"fingerprint", variant.fingerprint},
              {"model", variant.model},
              {"name", variant.name},
              {"description", variant.description},
              {"role", role_name(variant.role)}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  add("label", variant.label);
  add("restored_from", variant.restored_from);
  add("fine_tune", variant.fine_tune);
  add("method", variant.method);
  add("server", variant.server);
  add("same_as", variant.same_as);
  add("weights_sha256", variant.weights_sha256);
  return out;
}

/// Derives the role from the name; only for runs of versions whose configs had no roles.
void take_role_from_name(VariantInfo& variant) {
  if (variant.name == "base") {
    variant.role = Role::kBase;
  } else if (variant.name.find("sft") != std::string::npos) {
    variant.role = variant.name == "sft" ? Role::kTuned : Role::kControl;
  } else {
    variant.role = Role::kRestored;
    variant.restored_from = "base";
    variant.fine_tune = "sft";
    variant.method = variant.name;
  }
}

VariantInfo to_variant(const json& object) {
  FieldReader read(object, "a variant of the run's description");
  VariantInfo variant{read.text("fingerprint"), read.text("model"), read.text("name"),
                      read.text("description")};
  if (!object.contains("role")) {
    take_role_from_name(variant);
    return variant;
  }
  const std::string role = read.text("role");
  const auto known = parse_role(role);
  if (!known)
    throw DataError(
        fmt::format("reading a variant of the run's description: the role is \"{}\", base, tuned, "
                    "control or restored was expected",
                    valid_utf8(role.substr(0, 40))));
  variant.role = *known;
  variant.label = read.text_or("label", "");
  variant.restored_from = read.text_or("restored_from", "");
  variant.fine_tune = read.text_or("fine_tune", "");
  variant.method = read.text_or("method", "");
  variant.server = read.text_or("server", "");
  variant.same_as = read.text_or("same_as", "");
  variant.weights_sha256 = read.text_or("weights_sha256", "");
  return variant;
}

json to_json_planned(const PlannedCell& cell) {
  json out = {
      {"kind", cell.kind}, {"task", cell.task}, {"length", cell.length}, {"samples", cell.samples}};
  if (cell.may_end_early) out["may_end_early"] = true;
  if (!cell.indexes.empty()) out["indexes"] = cell.indexes;
  return out;
}

PlannedCell to_planned(const json& object) {
  FieldReader read(object, "a planned cell of the run's description");
  PlannedCell cell;
  cell.kind = read.text("kind");
  cell.task = read.text("task");
  cell.length = read.integer("length");
  cell.samples = read.integer("samples");
  cell.may_end_early = read.optional_flag("may_end_early");
  if (object.contains("indexes")) cell.indexes = read.integers("indexes");
  return cell;
}

json to_json_shard(const Shard& shard) {
  json out = {{"number", shard.number}, {"of", shard.of}};
  for (const ShardPart& part : shard.parts)
    out["parts"].push_back({{"shard", part.shard},
                            {"kind", part.kind},
                            {"task", part.task},
                            {"length", part.length},
                            {"indexes", part.indexes}});
  return out;
}

ShardPart to_shard_part(const json& object, std::int64_t shards) {
  FieldReader read(object, "a part of the shards of the run's description");
  ShardPart part;
  part.shard = read.integer("shard", 1, shards);
  part.kind = read.text("kind");
  part.task = read.text("task");
  part.length = read.integer("length");
  part.indexes = read.integers("indexes");
  return part;
}

Shard to_shard(const json& object) {
  FieldReader read(object, "the shard of the run's description");
  Shard shard;
  shard.of = read.integer("of", 1, kMostShards);
  shard.number = read.integer("number", 1, shard.of);
  if (object.contains("parts"))
    for (const json& part : read.array("parts"))
      shard.parts.push_back(to_shard_part(part, shard.of));
  return shard;
}

json to_json_figure(const PublishedFigure& figure) {
  json out = {{"model", figure.model}, {"cell", figure.cell}, {"source", figure.source}};
  if (figure.base) out["base"] = *figure.base;
  if (figure.sft) out["sft"] = *figure.sft;
  if (figure.qk) out["qk"] = *figure.qk;
  return out;
}

PublishedFigure to_figure(const json& object) {
  FieldReader read(object, "a published figure of the run's description");
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

const char* role_name(Role role) {
  const auto at = std::find_if(kRoles.begin(), kRoles.end(),
                               [&](const auto& known) { return known.first == role; });
  return at->second;
}

std::optional<Role> parse_role(std::string_view name) {
  for (const auto& [role, text] : kRoles)
    if (name == text) return role;
  return std::nullopt;
}

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

bool ArithmeticDifference::separates() const {
  return name == "device" || name == "dtype" || name == "prefill_chunk";
}

std::string ArithmeticDifference::words() const {
  const std::string label = name == "cpu_capability"  ? "CPU capability"
                            : name == "prefill_chunk" ? "prefill chunk"
                                                      : name;
  return fmt::format("{} ({} against {})", label, first, second);
}

std::vector<ArithmeticDifference> arithmetic_differences(const RunInfo& first,
                                                         const RunInfo& second) {
  std::vector<ArithmeticDifference> differences;
  if (first.arithmetic.empty() || second.arithmetic.empty()) {
    if (first.machine != second.machine)
      differences.push_back({"machine", first.machine, second.machine});
    return differences;
  }
  const auto compare = [&](const std::string& name) {
    const auto a = first.arithmetic.find(name), b = second.arithmetic.find(name);
    if (a == first.arithmetic.end() || b == second.arithmetic.end() || a->second == b->second)
      return;
    differences.push_back({name, a->second, b->second});
  };
  for (const std::string_view name : kArithmeticNames) compare(std::string(name));
  for (const auto& [name, value] : first.arithmetic)
    if (std::find(kArithmeticNames.begin(), kArithmeticNames.end(), name) == kArithmeticNames.end())
      compare(name);
  return differences;
}

bool is_same_tokenizer(const RunInfo& first, const RunInfo& second) {
  return first.tokenizer == second.tokenizer ||
         (!first.tokenizer_tables_sha256.empty() &&
          first.tokenizer_tables_sha256 == second.tokenizer_tables_sha256);
}

namespace {

constexpr std::string_view kAnd = " and ";

/// The members of "A and B".
std::vector<std::string_view> members(std::string_view list) {
  std::vector<std::string_view> all;
  for (std::size_t end; (end = list.find(kAnd)) != list.npos; list.remove_prefix(end + kAnd.size()))
    all.push_back(list.substr(0, end));
  all.push_back(list);
  return all;
}

}  // namespace

std::string with_also(const std::string& list, const std::string& more) {
  std::string all = list;
  for (const std::string_view one : members(more)) {
    const auto known = members(all);
    if (std::find(known.begin(), known.end(), one) != known.end()) continue;
    all.append(kAnd).append(one);
  }
  return all;
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
          {"arithmetic", info.arithmetic},
          {"caveats", info.caveats},
          {"started", info.started},
          {"finished", info.finished},
          {"config_json", info.config_json},
          {"variants", json::array()},
          {"published", json::array()}};
  if (!info.tokenizer_tables_sha256.empty()) {
    json["tokenizer_sha256"] = info.tokenizer_sha256;
    json["tokenizer_tables_sha256"] = info.tokenizer_tables_sha256;
  }
  for (const PlannedCell& cell : info.planned) json["planned"].push_back(to_json_planned(cell));
  if (info.shard) json["shard"] = to_json_shard(*info.shard);
  if (!info.merged_from.empty()) json["merged_from"] = info.merged_from;
  if (!info.other_configs.empty()) json["other_configs"] = info.other_configs;
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
  const bool knows_tables = json.contains("tokenizer_tables_sha256");
  info.tokenizer_sha256 = knows_tables ? read.text("tokenizer_sha256") : "";
  info.tokenizer_tables_sha256 = knows_tables ? read.text("tokenizer_tables_sha256") : "";
  info.reasoning =
      json.contains("reasoning") ? read.texts("reasoning") : std::vector<std::string>();
  info.machine = read.text("machine");
  info.arithmetic = read.optional_text_map("arithmetic");
  info.caveats = read.texts("caveats");
  info.started = read.text("started");
  info.finished = read.text("finished");
  info.config_json = read.text("config_json");
  info.variants.clear();
  for (const auto& item : read.array("variants")) info.variants.push_back(to_variant(item));
  refuse_repeated_fingerprints(info.variants);
  info.planned.clear();
  if (json.contains("planned"))
    for (const auto& item : read.array("planned")) info.planned.push_back(to_planned(item));
  info.shard.reset();
  if (json.contains("shard")) info.shard = to_shard(read.object("shard"));
  info.merged_from =
      json.contains("merged_from") ? read.texts("merged_from") : std::vector<std::string>();
  info.other_configs =
      json.contains("other_configs") ? read.texts("other_configs") : std::vector<std::string>();
  info.gradients.clear();
  if (json.contains("gradients"))
    for (const auto& item : read.array("gradients"))
      info.gradients.push_back(item.get<GradientCurve>());
  info.published.clear();
  for (const auto& item : read.array("published")) info.published.push_back(to_figure(item));
}

}  // namespace niah::reports
