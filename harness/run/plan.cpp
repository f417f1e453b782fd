#include "harness/run/plan.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/memory.h"
#include "harness/base/progress.h"
#include "harness/run/planned.h"
#include "harness/version.h"
#include "models/checkpoint/checkpoint.h"
#include "models/device.h"
#include "models/registry.h"
#include "reports/published.h"
#include "reports/variants.h"

namespace niah {
namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

bool processor_has(std::string_view flag) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("flags"))
      return (line + " ").find(fmt::format(" {} ", flag)) != std::string::npos;
  return false;
}

at::ScalarType resolve_dtype(const std::string& name, at::Device device) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16" || !device.is_cpu()) return at::kBFloat16;
  return processor_has("avx512_bf16") || processor_has("amx_bf16") ? at::kBFloat16 : at::kFloat;
}

/// What results are computed in, "fp32" or "bf16", and on what, where that is not the CPU: samples
/// of both are not mixed.
std::string arithmetic(const Machine& machine) {
  const char* dtype = machine.dtype == at::kBFloat16 ? "bf16" : "fp32";
  return machine.device.is_cpu()
             ? dtype
             : fmt::format("{} on {}", dtype, c10::DeviceTypeName(machine.device.type(), true));
}

/// Sets `what` apart when the two runs differ in it.
void compare(std::vector<std::string>& differences, const char* what, const std::string& old_value,
             const std::string& new_value) {
  if (old_value == new_value) return;
  differences.push_back(fmt::format("{} was {}, is now {}", what, old_value, new_value));
}

/// Sets may be added to a run, but a set that is there must be the same.
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

/// What decides the last bits of results; reports::kArithmeticNames.
std::map<std::string, std::string> describe_arithmetic(const RuntimeConfig& runtime,
                                                       const Machine& machine) {
  return {{"device", c10::DeviceTypeName(machine.device.type(), true)},
          {"dtype", machine.dtype == at::kBFloat16 ? "bf16" : "fp32"},
          {"prefill_chunk", std::to_string(prefill_chunk(runtime, machine))},
          {"processor", processor_name()},
          {"cpu_capability", at::get_cpu_capability()}};
}

/// What may differ within a run, but has to be said: it can change the last bits of results.
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

}  // namespace

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

Machine prepare_machine(const RuntimeConfig& runtime) {
  Machine machine;
  machine.device = models::find_device(runtime.device);
  machine.dtype = resolve_dtype(runtime.dtype, machine.device);
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  machine.threads = runtime.threads > 0
                        ? runtime.threads
                        : std::min<std::int64_t>(at::get_num_threads(), available_processors());
  at::set_num_threads(static_cast<int>(machine.threads));
  machine.description = fmt::format("{}, {} cores, {} threads, {}", processor_name(), cores,
                                    machine.threads, arithmetic(machine));
  return machine;
}

std::int64_t prefill_chunk(const RuntimeConfig& runtime, const Machine& machine) {
  if (runtime.prefill_chunk > 0) return runtime.prefill_chunk;
  constexpr std::int64_t kForCaches = 512, kForManyCores = 4096;
  return machine.device.is_cpu() ? kForCaches : kForManyCores;
}

namespace {

/// The checkpoints that a model of the sweep reads, each once.
std::set<std::filesystem::path> checkpoints_of(const ModelConfig& model) {
  std::set<std::filesystem::path> folders = {model.base};
  if (!model.sft.empty()) folders.insert(model.sft);
  for (const VariantConfig& variant : model.variants)
    if (variant.kind == VariantKind::kCheckpoint) folders.insert(variant.checkpoint);
  return folders;
}

/// What is put around every prompt has an embedding, and so has what its text may become.
void require_vocabularies(const Workload& work) {
  const models::Tokenizer& tokenizer = work.tokenizer();
  const std::string name = work.sweep().tokenizer.string();
  const auto framed =
      work.format().with_bos_policy(tokenizer.encode_prompt(work.format().frame("A", "B")));
  for (const ModelConfig& model : work.sweep().models)
    for (const std::filesystem::path& folder : checkpoints_of(model)) {
      const models::Checkpoint checkpoint(folder);
      const auto meta = models::check_tensors(
          checkpoint, models::override_config(checkpoint.config(), model.override));
      require_vocabulary(tokenizer, name, framed, meta->info().vocab_size, folder.string());
    }
}

}  // namespace

std::vector<LoadedVariant> load_all(const Workload& work, const Machine& machine,
                                    const std::string& tokenizer_sha256) {
  require_vocabularies(work);
  const GenerationConfig& generation = work.sweep().generation;
  const std::string format = work.format().description();
  const FingerprintBasis basis{
      tokenizer_sha256.empty() ? work.tokenizer().sha256() : tokenizer_sha256, arithmetic(machine),
      fmt::format("greedy, {} tokens, decided {}{}", generation.max_new_tokens,
                  generation.stop_when_decided, format == "raw" ? "" : ", prompt " + format)};
  std::vector<LoadedVariant> variants;
  for (const ModelConfig& model : work.sweep().models)
    for (LoadedVariant& variant : load_variants(model, machine.dtype, machine.device, basis))
      variants.push_back(std::move(variant));
  return variants;
}

std::int64_t count_workers(std::int64_t hidden_size, const Machine& machine) {
  constexpr std::int64_t kSmall = 512;
  return machine.device.is_cpu() && hidden_size <= kSmall ? machine.threads : 1;
}

std::int64_t count_workers(const std::vector<VariantGroup>& groups, const Machine& machine) {
  std::int64_t largest = 0;
  for (const VariantGroup& group : groups)
    largest = std::max(largest, group.front().model->info().hidden_size);
  return count_workers(largest, machine);
}

std::vector<std::string> model_warnings(const std::vector<LoadedVariant>& variants,
                                        const Workload& work) {
  const std::int64_t longest = work.longest_length();
  std::vector<std::string> warnings;
  for (const LoadedVariant& variant : variants) {
    std::vector<std::string> all = variant.model->info().warnings;
    const std::string too_long = length_warning(variant.model->info(), longest);
    if (!too_long.empty()) all.push_back(too_long);
    for (const std::string& warning : all) {
      // Variants of one model share their config, and what is to be said of it.
      std::string line = fmt::format("{}: {}", variant.info.model, warning);
      if (std::find(warnings.begin(), warnings.end(), line) == warnings.end())
        warnings.push_back(std::move(line));
    }
  }
  return warnings;
}

namespace {

/// What training left beside the sweep's fine-tuned checkpoints.
std::vector<reports::GradientCurve> gradient_curves(const SweepConfig& sweep,
                                                    const reports::RunInfo& info) {
  std::vector<reports::GradientCurve> curves;
  for (const ModelConfig& model : sweep.models)
    for (const VariantConfig& variant : model.variants) {
      const bool own = variant.kind == VariantKind::kCheckpoint;
      if (!own && variant.kind != VariantKind::kSft) continue;
      const std::filesystem::path file =
          (own ? variant.checkpoint : model.sft) / reports::kLocalityFile;
      if (!std::filesystem::exists(file)) continue;
      curves.push_back(models::parse_json_file(file, "reading where the gradient came from")
                           .get<reports::GradientCurve>());
      const auto* shown = reports::find_variant(info, model.name, variant.name);
      curves.back().variant = shown == nullptr ? variant.name : reports::label_of(info, *shown);
    }
  return curves;
}

}  // namespace

reports::RunInfo describe_sweep(const Workload& work, const Machine& machine) {
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
  info.machine = machine.description;
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
  info.arithmetic = describe_arithmetic(sweep.runtime, machine);
  return info;
}

void describe_loaded(reports::RunInfo& info, const std::vector<LoadedVariant>& order,
                     const std::vector<std::string>& warnings) {
  info.variants.clear();
  for (const LoadedVariant& variant : order) info.variants.push_back(variant.info);
  info.caveats.insert(info.caveats.end(), warnings.begin(), warnings.end());
}

reports::RunInfo read_plan(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "plan.json";
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
  compare(differences, "variants", variant_list(old, known), variant_list(info, known));
  for (const reports::ArithmeticDifference& difference : reports::arithmetic_differences(old, info))
    if (difference.separates())
      compare(differences, difference.name.c_str(), difference.first, difference.second);
  return differences;
}

std::optional<reports::RunInfo> check_plan(const std::filesystem::path& folder,
                                           const reports::RunInfo& info) {
  if (!std::filesystem::exists(folder / "plan.json")) return std::nullopt;
  reports::RunInfo old = read_plan(folder);
  const std::vector<std::string> differences = run_differences(old, info);
  if (!differences.empty())
    throw UsageError(fmt::format("{} holds another run: {}. Choose another --out, or remove it.",
                                 folder.string(), fmt::join(differences, "; ")));
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
