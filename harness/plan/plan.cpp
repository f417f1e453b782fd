#include "harness/plan/plan.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/path_kind.h"
#include "harness/base/progress.h"
#include "harness/plan/planned.h"
#include "harness/version.h"
#include "models/checkpoint/checkpoint.h"
#include "reports/analysis/variant_labels.h"
#include "reports/export/published.h"

namespace niah {
namespace {

/// Adds `what` to the differences if its values differ.
void compare(std::vector<std::string>& differences, const char* what, const std::string& old_value,
             const std::string& new_value) {
  if (old_value == new_value) return;
  differences.push_back(fmt::format("{} was {}, is now {}", what, old_value, new_value));
}

/// Reasoning sets may be added to a run, but those that it has must stay the same.
void compare_reasoning(std::vector<std::string>& differences, const std::vector<std::string>& old,
                       const std::vector<std::string>& now) {
  const auto name = [](const std::string& id) { return id.substr(0, id.find(' ')); };
  for (const std::string& before : old)
    for (const std::string& after : now)
      if (name(before) == name(after)) compare(differences, "reasoning set", before, after);
}

std::string variant_list(const reports::RunInfo& info, bool with_fingerprints) {
  std::string list;
  for (const auto& variant : info.variants)
    list += fmt::format("{}{} {}{}{}", list.empty() ? "" : ", ", variant.model, variant.name,
                        with_fingerprints ? " " : "", with_fingerprints ? variant.fingerprint : "");
  return list;
}

/// Whether the weights of its variants have been read yet.
bool has_fingerprints(const reports::RunInfo& info) {
  return std::none_of(info.variants.begin(), info.variants.end(),
                      [](const auto& variant) { return variant.fingerprint.empty(); });
}

/// A variant that is served in both runs, by different servers.
struct OtherServer {
  const reports::VariantInfo *before, *now;
};

std::vector<OtherServer> other_servers(const reports::RunInfo& old, const reports::RunInfo& info) {
  std::vector<OtherServer> others;
  for (const reports::VariantInfo& now : info.variants) {
    const auto* before = reports::find_variant(old, now.model, now.name);
    if (before != nullptr && !before->server.empty() && !now.server.empty() &&
        before->server != now.server)
      others.push_back({before, &now});
  }
  return others;
}

/// Warns of differences that are allowed within a run but must be reported, because they can change
/// the last bits of results.
void keep_arithmetic(const reports::RunInfo& old, reports::RunInfo& info) {
  for (auto& [name, value] : info.arithmetic) {
    const auto before = old.arithmetic.find(name);
    if (before == old.arithmetic.end() || before->second == value) continue;
    const std::string all = reports::with_also(before->second, value);
    if (all != before->second)
      print_warning(
          fmt::format("this run was begun with {} {}, goes on with {}: the last bits of "
                      "results may differ",
                      name, before->second, value));
    value = all;
    info.caveats.push_back(fmt::format(
        "Parts of this run were computed with different {} ({}): the last bits of results may "
        "differ.",
        name, all));
  }
}

/// `info` without the variants that were added to `old`; as it is, if it lacks one of `old`.
reports::RunInfo without_added(const reports::RunInfo& old, const reports::RunInfo& info) {
  const auto has = [](const reports::RunInfo& run, const reports::VariantInfo& variant) {
    return reports::find_variant(run, variant.model, variant.name) != nullptr;
  };
  reports::RunInfo common = info;
  if (std::ranges::all_of(old.variants, [&](const auto& variant) { return has(info, variant); }))
    std::erase_if(common.variants, [&](const auto& variant) { return !has(old, variant); });
  return common;
}

/// The gradient curves that training left next to the sweep's fine-tuned checkpoints.
std::vector<reports::GradientCurve> gradient_curves(const SweepConfig& sweep,
                                                    const reports::RunInfo& info) {
  std::vector<reports::GradientCurve> curves;
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants) {
      const bool own = variant.kind == VariantKind::kCheckpoint;
      if (!own && variant.kind != VariantKind::kSft) continue;
      const std::filesystem::path file =
          (own ? variant.checkpoint : model.sft).own_folder() / reports::kLocalityFile;
      if (!is_there(file)) continue;
      curves.push_back(models::parse_json_file(file, "reading where the gradient came from")
                           .get<reports::GradientCurve>());
      const auto* shown = reports::find_variant(info, model.name, variant.name);
      curves.back().variant = shown == nullptr ? variant.name : reports::label_of(info, *shown);
    }
  return curves;
}

}  // namespace

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

reports::VariantInfo describe_variant(const VariantConfig& variant, const std::string& model,
                                      std::string fingerprint) {
  reports::VariantInfo info{std::move(fingerprint), model, variant.name, variant.description};
  info.role = variant.role;
  info.label = variant.label;
  info.restored_from = variant.restored_from;
  info.fine_tune = variant.fine_tune;
  info.same_as = variant.same_as;
  if (variant.kind == VariantKind::kRestored) info.method = restore_text(variant.restore);
  return info;
}

std::string decoding_text(const WorkList& work) {
  const GenerationConfig& generation = work.sweep().generation;
  const std::string format = work.format().description();
  return fmt::format("greedy, {} tokens, decided {}{}", generation.max_new_tokens,
                     generation.stop_when_decided, format == "raw" ? "" : ", prompt " + format);
}

reports::RunInfo describe_sweep(const WorkList& work) {
  const SweepConfig& sweep = work.sweep();
  reports::RunInfo info;
  info.name = sweep.name;
  info.title = sweep.title;
  info.program_version = kVersion;
  info.protocol = sweep.protocol;
  info.seed = sweep.seed;
  info.tasks = sweep.tasks;
  info.lengths = sweep.lengths;
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants)
      info.variants.push_back(describe_variant(variant, model.name, ""));
  info.haystack = work.haystack_id();
  info.reasoning = work.reasoning_ids();
  info.tokenizer =
      fmt::format("{} {}", work.tokenizer().description(), work.tokenizer().sha256().substr(0, 16));
  info.tokenizer_sha256 = work.tokenizer().sha256();
  info.tokenizer_tables_sha256 = work.tokenizer().tables_sha256();
  info.planned = planned_cells(work);
  info.caveats = sweep.caveats;
  if (sweep.samples.half_width > 0)
    info.caveats.push_back(
        fmt::format("Sampling was adaptive: a cell ends at up to {} samples, as soon as every "
                    "variant's 95 % interval lies within ±{:g} points. Intervals of cells that "
                    "ended early are a little too narrow for it.",
                    sweep.samples.otherwise, 100 * sweep.samples.half_width));
  info.gradients = gradient_curves(sweep, info);
  if (sweep.published) info.published = reports::paper_figures();
  info.started = utc_now();
  info.config_json = sweep_to_json(sweep);
  return info;
}

reports::RunInfo read_plan(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "plan.json";
  if (!is_folder(folder))
    throw DataError(fmt::format(
        "reading the run {}: {}; the folder that `niah run` or `niah reproduce` wrote to was "
        "expected",
        folder.string(), is_listed(folder) ? "this is no folder" : "there is no such folder"));
  if (!is_listed(path))
    throw DataError(fmt::format(
        "reading the run {}: it holds no plan.json, so it is no run folder; the folder that "
        "`niah run` or `niah reproduce` wrote to was expected",
        folder.string()));
  try {
    auto info = models::parse_json_file(path, "reading the run").get<reports::RunInfo>();
    if (info.planned.empty()) info.planned = planned_by_config(info);
    return info;
  } catch (const DataError& error) {
    const std::string_view message = error.what();
    if (message.find(path.string()) != std::string_view::npos) throw;
    throw DataError(fmt::format("{}: {}", path.string(), message));
  }
}

std::vector<std::string> run_differences(const reports::RunInfo& old,
                                         const reports::RunInfo& info) {
  std::vector<std::string> differences;
  compare(differences, "program version", old.program_version, info.program_version);
  compare(differences, "protocol", old.protocol, info.protocol);
  compare(differences, "seed", std::to_string(old.seed), std::to_string(info.seed));
  compare(differences, "haystack", old.haystack, info.haystack);
  if (!reports::is_same_tokenizer(old, info))
    compare(differences, "tokenizer", old.tokenizer, info.tokenizer);
  compare_reasoning(differences, old.reasoning, info.reasoning);
  const bool known = has_fingerprints(old) && has_fingerprints(info);
  // A fingerprint does not show people how two servers differ; their descriptions do.
  for (const OtherServer& other : other_servers(old, info))
    compare(differences,
            fmt::format("the server of {} {}", other.now->model, other.now->name).c_str(),
            other.before->server, other.now->server);
  compare(differences, "variants", variant_list(old, known), variant_list(info, known));
  for (const reports::ArithmeticDifference& difference : reports::arithmetic_differences(old, info))
    if (difference.separates())
      compare(differences, difference.name.c_str(), difference.first, difference.second);
  return differences;
}

void require_distinct_fingerprints(const std::vector<reports::VariantInfo>& variants) {
  std::map<std::string, const reports::VariantInfo*> seen;
  for (const reports::VariantInfo& variant : variants) {
    const auto [first, fresh] = seen.emplace(variant.fingerprint, &variant);
    if (fresh) continue;
    throw UsageError(fmt::format(
        "'{} {}' and '{} {}' are the same: weights, settings and tokenizer (fingerprint {}). Their "
        "samples could not be told apart; leave one out of `models`, or name another checkpoint",
        first->second->model, first->second->name, variant.model, variant.name,
        variant.fingerprint));
  }
}

std::optional<reports::RunInfo> check_plan(const std::filesystem::path& folder,
                                           const reports::RunInfo& info) {
  if (!is_there(folder / "plan.json")) return std::nullopt;
  reports::RunInfo old = read_plan(folder);
  const std::vector<std::string> differences = run_differences(old, without_added(old, info));
  if (!differences.empty())
    throw UsageError(
        fmt::format("{} holds another run: {}. {}Choose another --out, or remove it.",
                    folder.string(), fmt::join(differences, "; "),
                    other_servers(old, info).empty()
                        ? ""
                        : "Answers of two servers are not mixed: start the server again that the "
                          "run was begun with, and it goes on. "));
  return old;
}

void keep_tokenizer(const reports::RunInfo& begun, reports::RunInfo& info) {
  if (begun.tokenizer_sha256.empty()) return;
  info.tokenizer = begun.tokenizer;
  info.tokenizer_sha256 = begun.tokenizer_sha256;
}

void write_plan(const std::filesystem::path& folder, reports::RunInfo& info) {
  if (const auto old = check_plan(folder, info)) {
    info.started = old->started;
    keep_arithmetic(*old, info);
  }
  const nlohmann::json json = info;
  (void)json.get<reports::RunInfo>();  // what no report could read is refused here
  write_file(folder / "plan.json", json.dump(2) + "\n");
}

}  // namespace niah
