#include "harness/run/plan.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/version.h"
#include "models/checkpoint/checkpoint.h"
#include "reports/published.h"

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

at::ScalarType resolve_dtype(const std::string& name) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  return processor_has("avx512_bf16") || processor_has("amx_bf16") ? at::kBFloat16 : at::kFloat;
}

/// Sets `what` apart when the two runs differ in it.
void compare(std::vector<std::string>& differences, const char* what, const std::string& old_value,
             const std::string& new_value) {
  if (old_value == new_value) return;
  differences.push_back(fmt::format("{} was {}, is now {}", what, old_value, new_value));
}

std::string variant_list(const reports::RunInfo& info) {
  std::string list;
  for (const auto& variant : info.variants)
    list += fmt::format("{}{} {} {}", list.empty() ? "" : ", ", variant.model, variant.name,
                        variant.fingerprint);
  return list;
}

}  // namespace

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

Machine prepare_machine(const RuntimeConfig& runtime) {
  Machine machine;
  machine.dtype = resolve_dtype(runtime.dtype);
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  machine.threads = runtime.threads > 0 ? runtime.threads : at::get_num_threads();
  at::set_num_threads(static_cast<int>(machine.threads));
  machine.description =
      fmt::format("{}, {} cores, {} threads, {}", processor_name(), cores, machine.threads,
                  machine.dtype == at::kBFloat16 ? "bf16" : "fp32");
  return machine;
}

reports::RunInfo describe_run(const SweepConfig& sweep, const std::vector<LoadedVariant>& order,
                              const std::string& haystack, const std::string& tokenizer,
                              const Machine& machine) {
  reports::RunInfo info;
  info.name = sweep.name;
  info.title = sweep.title;
  info.program_version = kVersion;
  info.protocol = sweep.protocol;
  info.seed = sweep.seed;
  info.tasks = sweep.tasks;
  info.lengths = sweep.lengths;
  for (const LoadedVariant& variant : order) info.variants.push_back(variant.info);
  info.haystack = haystack;
  info.tokenizer = tokenizer;
  info.machine = machine.description;
  info.caveats = sweep.caveats;
  if (sweep.published) info.published = reports::paper_figures();
  info.started = utc_now();
  info.config_json = sweep_to_json(sweep);
  return info;
}

void write_or_check_plan(const std::filesystem::path& folder, reports::RunInfo& info) {
  const std::filesystem::path path = folder / "plan.json";
  if (std::filesystem::exists(path)) {
    const auto old = models::parse_json_file(path, "resuming").get<reports::RunInfo>();
    std::vector<std::string> differences;
    compare(differences, "program version", old.program_version, info.program_version);
    compare(differences, "protocol", old.protocol, info.protocol);
    compare(differences, "seed", std::to_string(old.seed), std::to_string(info.seed));
    compare(differences, "haystack", old.haystack, info.haystack);
    compare(differences, "tokenizer", old.tokenizer, info.tokenizer);
    compare(differences, "variants", variant_list(old), variant_list(info));
    if (!differences.empty())
      throw UsageError(fmt::format("{} holds another run: {}. Choose another --out, or remove it.",
                                   folder.string(), fmt::join(differences, "; ")));
    info.started = old.started;
  }
  write_file(path, nlohmann::json(info).dump(2) + "\n");
}

}  // namespace niah
