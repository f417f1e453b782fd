// niah diagnose: what a fine-tune did inside the model.
#include <fmt/format.h>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_options.h"
#include "harness/config/sweep.h"
#include "harness/config/variant_words.h"
#include "harness/engine/local/loading.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_folder.h"
#include "harness/plan/work_list.h"
#include "models/instruments/attention_probe.h"
#include "models/surgery/drift.h"
#include "reports/analysis/variant_labels.h"
#include "reports/diagnosis/page.h"
#include "reports/diagnosis/summary.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

struct DiagnoseArguments {
  PairArguments pair;
  std::string out, tokenizer, task = "s2", length = "8K", haystack = "kjv", dtype = "auto",
                              device = "auto";
  std::vector<std::string> overrides;
  std::int64_t samples = 8;
  std::uint64_t seed = 0;
  double lambda = models::RestoreOptions{}.lambda;
  bool weights_only = false, quiet = false;
};

// ----------------------------------------------------------------------------------------- weights

void add_weights(const DiagnoseArguments& arguments, reports::Diagnosis& diagnosis) {
  const models::WeightDrift drift =
      models::weight_drift(arguments.pair.before(), arguments.pair.after());
  for (const models::TensorDrift& tensor : drift.tensors)
    diagnosis.tensors.push_back(
        {tensor.name, tensor.layer, tensor.part, tensor.mixer, tensor.change, tensor.norm});
  for (const models::RoutingDrift& head : drift.routing)
    diagnosis.routing.push_back({head.layer, head.head, head.relative_change, head.rank,
                                 head.query_angle, head.query_angle_max, head.key_angle,
                                 head.key_angle_max});
}

// --------------------------------------------------------------------------------------- attention

VariantConfig variant(std::string name, VariantKind kind, models::RestoreOptions restore = {}) {
  VariantConfig config;
  config.name = std::move(name);
  config.kind = kind;
  config.restore = restore;
  return config;
}

/// When the page goes into the folder of a run of this pair, gives the variants the names that the
/// run's report uses.
void call_as_in_run(const fs::path& out, ModelConfig& model) {
  if (!is_there(out / "plan.json")) return;
  try {
    call_as(model, parse_sweep(read_plan(out).config_json, (out / "plan.json").string(),
                               fs::current_path(), {})
                       .models);
  } catch (const UsageError&) {
    // A config of another version: its report can be drawn, its names cannot be read.
  }
}

/// A sweep with the prompts and variants to diagnose.
SweepConfig sweep_of(const DiagnoseArguments& arguments) {
  SweepConfig sweep;
  sweep.name = "diagnose";
  sweep.haystack = tasks::find_haystack(arguments.haystack);
  sweep.tasks = {arguments.task};
  const auto length = parse_length(arguments.length);
  if (!length)
    throw UsageError(fmt::format("--length '{}': a length such as 8192 or 8K was expected",
                                 valid_utf8(arguments.length)));
  sweep.lengths = {*length};
  sweep.samples.otherwise = arguments.samples;
  sweep.seed = arguments.seed;
  sweep.tokenizer = arguments.tokenizer.empty() ? arguments.pair.pre : arguments.tokenizer;
  sweep.runtime.dtype = arguments.dtype;
  sweep.runtime.device = arguments.device;
  ModelConfig model;
  model.name = "pair";
  model.base = arguments.pair.before();
  model.sft = arguments.pair.after();
  for (const std::string& text : arguments.overrides) add_config_override(model.override, text);
  model.variants = {variant("base", VariantKind::kBase), variant("sft", VariantKind::kSft),
                    variant("qk", VariantKind::kRestored, {.method = models::RestoreMethod::kQk}),
                    variant("qk-pro", VariantKind::kRestored,
                            {.method = models::RestoreMethod::kQkPro, .lambda = arguments.lambda})};
  describe_all(model.variants);
  call_as_in_run(arguments.out, model);
  sweep.models = {model};
  return sweep;
}

/// The ids of a prompt, and which of them are the needle.
struct WatchedPrompt {
  std::vector<std::int64_t> ids;
  models::WatchOptions where;
};

WatchedPrompt watched_prompt(const tasks::Sample& sample, const models::Tokenizer& tokenizer) {
  const std::string text = sample.prompt();
  const TokenSpan needle = needle_tokens(sample, text, tokenizer);
  WatchedPrompt prompt;
  const auto ids = tokenizer.encode_prompt(text);
  prompt.ids.assign(ids.begin(), ids.end());
  prompt.where.needle_begin = needle.begin;
  prompt.where.needle_end = needle.end;
  return prompt;
}

void add_attention(const DiagnoseArguments& arguments, reports::Diagnosis& diagnosis) {
  const WorkList work(sweep_of(arguments));
  const Machine machine = prepare_machine(work.sweep().runtime);
  const std::vector<LoadedVariant> variants = load_all(work, machine);
  for (const std::string& warning : model_warnings(variants, work))
    say("! {}\n", single_line(warning));
  const tasks::Cell& cell = *work.assignments().front().cell;
  Progress progress("diagnose",
                    static_cast<double>(arguments.samples) * static_cast<double>(variants.size()),
                    arguments.quiet);
  reports::RunInfo info;
  for (const LoadedVariant& loaded : variants) info.variants.push_back(loaded.info);
  for (const reports::VariantInfo& variant : info.variants)
    diagnosis.variants.push_back(reports::label_of(info, variant));
  std::vector<std::vector<models::HeadAttention>> sums(variants.size());
  double needle_share = 0;
  const auto samples = static_cast<double>(arguments.samples);
  for (std::int64_t i = 0; i < arguments.samples; ++i) {
    WatchedPrompt prompt = watched_prompt(cell.sample(i), work.tokenizer());
    prompt.where.chunk = prefill_chunk(work.sweep().runtime, machine);
    const auto tokens = static_cast<double>(prompt.ids.size());
    needle_share +=
        static_cast<double>(prompt.where.needle_end - prompt.where.needle_begin) / tokens;
    diagnosis.length += tokens / samples;
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const auto seen = models::watch_attention(*variants[v].model, prompt.ids, prompt.where);
      if (sums[v].empty()) sums[v].resize(seen.size());
      for (std::size_t head = 0; head < seen.size(); ++head) {
        sums[v][head].layer = seen[head].layer;
        sums[v][head].head = seen[head].head;
        sums[v][head].distance += seen[head].distance / samples;
        sums[v][head].needle_mass += seen[head].needle_mass / samples;
      }
      progress.advance(1, diagnosis.variants[v]);
    }
  }
  progress.clear();
  for (std::size_t v = 0; v < variants.size(); ++v)
    for (const models::HeadAttention& head : sums[v])
      diagnosis.heads.push_back(
          {diagnosis.variants[v], head.layer, head.head, head.distance, head.needle_mass});
  diagnosis.chance = needle_share / samples;
  diagnosis.prompts =
      fmt::format("{} samples of {} (haystack {}, seed {})", arguments.samples,
                  work.assignments().front().label, arguments.haystack, arguments.seed);
}

/// Checked before any work. Throws UsageError unless the folder is new, or that of an earlier
/// diagnosis or a run, and diagnose.html would replace nothing but a diagnosis.
void require_place_for_page(const fs::path& out) {
  require_own_folder(out, {reports::kDiagnosisPage, "plan.json"}, "diagnosing");
  if (is_there(out / "plan.json")) (void)read_plan(out);
  const fs::path page = out / reports::kDiagnosisPage;
  if (is_there(page) && !reports::is_diagnosis_page(read_file(page, "diagnosing")))
    throw UsageError(
        fmt::format("diagnosing: {} is there already, and no diagnosis; choose another "
                    "--out",
                    page.string()));
}

ExitCode run_diagnose(const DiagnoseArguments& arguments) {
  if (arguments.samples < 1)
    throw UsageError(
        fmt::format("--samples {}: 1 or more was expected (--weights-only reads no prompts)",
                    arguments.samples));
  require_place_for_page(arguments.out);
  reports::Diagnosis diagnosis;
  const auto name = [](const models::CheckpointPath& path) {
    return fs::absolute(path.own_folder() / "").parent_path().filename().string();
  };
  diagnosis.pre = name(arguments.pair.before());
  diagnosis.post = name(arguments.pair.after());
  add_weights(arguments, diagnosis);
  if (arguments.weights_only)
    arguments.pair.warn_of_adapters_beside();
  else
    add_attention(arguments, diagnosis);
  const fs::path out = arguments.out;
  reports::write_diagnosis(diagnosis, out);
  // Draw the run's report again, so that it links to the new page.
  std::error_code ignored;
  if (fs::exists(out / "plan.json", ignored) && fs::exists(out / "journal.jsonl", ignored))
    draw_again(out);
  for (const std::string& sentence : reports::diagnosis_in_words(diagnosis))
    say("- {}\n", sentence);
  say("\nLayer by layer and head by head: {}\n",
      single_line((out / reports::kDiagnosisPage).string()));
  return ExitCode::kOk;
}

}  // namespace

void add_diagnose_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<DiagnoseArguments>();
  CLI::App* command = add_command(program, kDiagnose);
  add_pair_options(*command, arguments->pair);
  command
      ->add_option("--out", arguments->out,
                   "Folder for diagnose.html and its tables; in a run's folder the report links to "
                   "it")
      ->type_name(kFolderValue)
      ->required();
  command->add_flag("--weights-only", arguments->weights_only,
                    "Compare the weights alone; no prompts are read");
  command->add_option("--task", arguments->task, "Task of the prompts: s1, s2, s3, ...")
      ->type_name("TASK")
      ->capture_default_str();
  command->add_option("--length", arguments->length, "Tokens of a prompt: 8192, 8K, ...")
      ->type_name(kLengthValue)
      ->capture_default_str();
  add_integer(*command, "--samples", arguments->samples, kSampleCount,
              "How many prompts to read with every variant");
  add_seed(*command, arguments->seed, "The same seed makes the same prompts");
  command
      ->add_option("--tokenizer", arguments->tokenizer,
                   "Checkpoint folder or tokenizer file (default: that of --pre)")
      ->type_name(kPathValue);
  command
      ->add_option("--haystack", arguments->haystack,
                   "Text of the prompts: kjv, prose, a folder of .txt files, or a text file")
      ->type_name(kHaystackValue)
      ->capture_default_str();
  add_number(*command, "--lambda", arguments->lambda, {.low = 0},
             "Of the variant restored by qk-pro: from 0 (as qk) upwards (towards k)");
  command
      ->add_option(
          "--dtype", arguments->dtype,
          "Numbers to compute with: fp32, bf16, or auto (bf16 where the machine computes in "
          "it)")
      ->type_name("{auto|fp32|bf16}")
      ->capture_default_str();
  add_device_option(*command, arguments->device);
  add_repeated(*command, "--override", arguments->overrides,
               "Change a field of both config.json for this command:"
               " --override \"attn_logits_scaling=hype 500\"");
  command->add_flag("--quiet", arguments->quiet, "Show no progress line");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_diagnose(*arguments); }; });
}

}  // namespace niah
