// niah run, niah reproduce, niah report: from a sweep to a report.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/progress.h"
#include "harness/commands/commands.h"
#include "harness/config/sweep.h"
#include "harness/embedded_configs.h"
#include "harness/run/dry_run.h"
#include "harness/run/merge.h"
#include "harness/run/runner.h"
#include "reports/report.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// Says what came out, and whether every cell holds at least one sample that could be measured.
ExitCode print_report(const reports::Report& report, const fs::path& out) {
  write_stderr(
      reports::summary_text(report.results, report.analysis, ::isatty(STDERR_FILENO) != 0));
  say("\nThe whole story: {}\n", (out / "report.html").string());
  const auto& cells = report.results.cells;
  const auto empty = std::count_if(cells.begin(), cells.end(),
                                   [](const reports::Cell& cell) { return cell.n == 0; });
  if (empty == 0 && !cells.empty()) return ExitCode::kOk;
  say("niah: in {} of {} cells nothing could be measured\n", empty, cells.size());
  return ExitCode::kNotMeasured;
}

/// The same for reports of what others ran: also whether all is there that the plan asks. The shard
/// of a sweep is not expected to have the others' samples.
ExitCode print_whole_report(const reports::Report& report, const fs::path& out,
                            bool allow_missing) {
  const ExitCode code = print_report(report, out);
  if (allow_missing || report.results.run.shard) return code;
  const std::int64_t missing = reports::count_missing(reports::missing_samples(report.results));
  if (missing == 0) return code;
  say("niah: {} samples that the plan asks for have no record; --allow-missing takes the run "
      "as it is\n",
      missing);
  return ExitCode::kNotMeasured;
}

// ----------------------------------------------------------------------------------------------
// run

struct RunArguments {
  std::string config, shard;
  std::vector<std::string> overrides;
  bool dry_run = false;
  RunOptions options;
};

Overrides parse_overrides(const std::vector<std::string>& texts) {
  Overrides overrides;
  for (const std::string& text : texts) overrides.push_back(parse_override(text));
  return overrides;
}

ExitCode run_config(RunArguments arguments) {
  const SweepConfig sweep = read_sweep(arguments.config, parse_overrides(arguments.overrides));
  if (arguments.dry_run) {
    write_stdout(describe_price(price_sweep(sweep), sweep));
    return ExitCode::kOk;
  }
  if (!arguments.shard.empty())
    std::tie(arguments.options.shard, arguments.options.shards) = parse_shard(arguments.shard);
  if (arguments.options.out.empty()) throw UsageError("--out is required: the folder of the run");
  const reports::Report report = run_sweep(sweep, arguments.options);
  const ExitCode code = print_report(report, arguments.options.out);
  const bool is_empty_shard = arguments.options.shards > 1 && report.results.cells.empty();
  return is_empty_shard ? ExitCode::kOk : code;
}

// ----------------------------------------------------------------------------------------
// reproduce

struct ReproduceArguments {
  RunOptions options{"runs/reproduce", false};
  bool quick = false;
  bool full = false;
  std::string pre, post, family = "model";
  std::vector<std::string> config_overrides, overrides;
  std::string haystack;
};

/// Folder that holds models/zoo: the source tree of this build, or what was installed beside it.
fs::path data_root() {
  const fs::path source = NIAH_SOURCE_ROOT;
  if (fs::exists(source / "models" / "zoo")) return source;
  return executable_folder().parent_path() / "share" / "niah";
}

/// The embedded sweep, changed as the options say.
SweepConfig reproduce_sweep(const ReproduceArguments& arguments) {
  Overrides overrides;
  if (arguments.quick && arguments.full) throw UsageError("give --quick or --full, not both");
  if (arguments.quick) {
    overrides.emplace_back("lengths", "[4K, 16K]");
    overrides.emplace_back("samples", "8");
    overrides.emplace_back("reasoning.samples", "30");
  }
  if (arguments.full) overrides.emplace_back("samples", "100");
  for (auto& own : parse_overrides(arguments.overrides)) overrides.push_back(std::move(own));
  SweepConfig sweep =
      parse_sweep(kReproduceYaml, "reproduce.yaml (built in)", data_root() / "configs", overrides);
  if (!arguments.haystack.empty()) {
    const bool repeat = sweep.haystack.repeat;
    sweep.haystack = tasks::find_haystack(arguments.haystack);
    sweep.haystack.repeat = repeat;
  }
  if (arguments.pre.empty() != arguments.post.empty())
    throw UsageError(
        "--pre and --post belong together: the checkpoints before and after the fine-tune");
  if (arguments.pre.empty()) {
    if (!arguments.config_overrides.empty())
      throw UsageError("--override changes the config.json of --pre and --post: give those too");
    return sweep;
  }

  ModelConfig& model = sweep.models.front();
  model.name = arguments.family;
  model.base = arguments.pre;
  model.sft = arguments.post;
  for (const std::string& text : arguments.config_overrides)
    add_config_override(model.override, text);
  std::erase_if(model.variants,
                [](const VariantConfig& v) { return v.kind == VariantKind::kCheckpoint; });
  describe_plainly(model);
  sweep.name = arguments.family;
  sweep.title = fmt::format(
      "Recall of {} before and after its fine-tune, and with Q and K restored", arguments.family);
  sweep.tokenizer = arguments.pre;
  sweep.reasoning.clear();
  sweep.caveats.clear();
  return sweep;
}

ExitCode run_reproduce(const ReproduceArguments& arguments) {
  const SweepConfig sweep = reproduce_sweep(arguments);
  const Progress clock("", 1, /*quiet=*/true);
  const reports::Report report = run_sweep(sweep, arguments.options);
  const ExitCode code = print_report(report, arguments.options.out);
  say("Took {}.\n", format_duration(clock.elapsed()));
  return code;
}

// -------------------------------------------------------------------------------------------
// merge

struct MergeArguments {
  std::vector<std::string> runs;
  std::string out;
  bool allow_missing = false;
};

ExitCode run_merge(const MergeArguments& arguments) {
  return print_whole_report(
      merge_runs({arguments.runs.begin(), arguments.runs.end()}, arguments.out), arguments.out,
      arguments.allow_missing);
}

// -------------------------------------------------------------------------------------------
// report

struct ReportArguments {
  std::vector<std::string> runs;
  bool allow_missing = false;
};

/// Exit 0 for reports of runs that are not whole.
void add_allow_missing(CLI::App& command, bool& allow_missing) {
  command.add_flag("--allow-missing", allow_missing,
                   "Samples that the plan asks for may have no record (they are named anyway)");
}

ExitCode run_report(const ReportArguments& arguments) {
  ExitCode code = ExitCode::kOk;
  for (const std::string& run : arguments.runs)
    code = std::max(code, print_whole_report(draw_again(run), run, arguments.allow_missing));
  return code;
}

}  // namespace

void add_run_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = add_command(
      program, "run", "Run a sweep from a YAML file (continues by itself when it was stopped)",
      "niah run configs/nightly.yaml --out runs/tonight");
  command->add_option("config", arguments->config, "The sweep (YAML)")->required();
  command->add_option("--out", arguments->options.out, "Run folder");
  command->add_flag("--dry-run", arguments->dry_run,
                    "Say what the sweep costs (tokens, FLOPs, memory, time) and run nothing");
  add_repeated(*command, "--set", arguments->overrides,
               "Change a key: --set samples=20, --set models.0.base=FOLDER");
  command->add_option("--shard", arguments->shard,
                      "Only a part of the samples, such as 2/4; `niah merge` puts parts together");
  command->add_flag("--quiet", arguments->options.quiet, "No progress line");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_config(*arguments); }; });
}

void add_reproduce_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReproduceArguments>();
  CLI::App* command = add_command(
      program, "reproduce",
      "The paper's story end to end: on the small models that come with the program, or on a pair "
      "of "
      "checkpoints",
      "niah reproduce --quick\n"
      "  niah reproduce --family HypeNet-2B --pre hypenet-2b --post hypenet-2b-cot --out runs/2b");
  command->add_option("--out", arguments->options.out, "Run folder")->capture_default_str();
  command->add_flag("--quick", arguments->quick, "A look in about a minute: 4K and 16K, 8 samples");
  command->add_flag("--full", arguments->full, "100 samples a cell");
  command->add_option("--pre", arguments->pre, "Checkpoint folder before the fine-tune");
  command->add_option("--post", arguments->post, "Checkpoint folder after it");
  command->add_option("--family", arguments->family, "Name of the pair in the report");
  add_repeated(*command, "--override", arguments->config_overrides,
               "Change a field of their config.json: --override \"attn_logits_scaling=hype 500\"");
  command->add_option("--haystack", arguments->haystack,
                      "kjv, prose, a folder of .txt files, or a text file (default: kjv)");
  add_repeated(*command, "--set", arguments->overrides,
               "Change a key of configs/reproduce.yaml: --set runtime.dtype=bf16");
  command->add_flag("--quiet", arguments->options.quiet, "No progress line");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_reproduce(*arguments); }; });
}

void add_merge_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<MergeArguments>();
  CLI::App* command =
      add_command(program, "merge", "Put the shards of a sweep together into one run",
                  "niah run sweep.yaml --shard 1/2 --out runs/a\n"
                  "  niah run sweep.yaml --shard 2/2 --out runs/b\n"
                  "  niah merge runs/a runs/b --out runs/whole");
  command->add_option("runs", arguments->runs, "Run folders")->required();
  command
      ->add_option("--out", arguments->out,
                   "Folder of the whole run: a new one, or an earlier merge of the same runs")
      ->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_merge(*arguments); }; });
}

void add_report_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      add_command(program, "report", "Draw the reports of runs again from their journals",
                  "niah report runs/reproduce");
  command->add_option("runs", arguments->runs, "Run folders")->required();
  add_allow_missing(*command, arguments->allow_missing);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_report(*arguments); }; });
}

}  // namespace niah
