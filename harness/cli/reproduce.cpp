// niah reproduce: the paper's story end to end.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/output.h"
#include "harness/base/progress.h"
#include "harness/base/shipped_data.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_options.h"
#include "harness/cli/print_report.h"
#include "harness/cli/run_with_engines.h"
#include "harness/config/sweep.h"
#include "harness/config/variant_words.h"
#include "harness/embedded_configs.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

struct ReproduceArguments {
  RunOptions options{"runs/reproduce", false};
  bool quick = false;
  bool full = false;
  PairArguments pair;
  std::string family = "model";
  std::vector<std::string> config_overrides, overrides;
  std::string haystack;
};

/// The folder that the built-in sweep's relative paths count from. The models that come with the
/// program have to be there only if no others are named.
fs::path configs_folder(const PairArguments& pair) {
  const fs::path zoo = "models/zoo";
  const fs::path found = pair.any() ? find_shipped(zoo).value_or(zoo)
                                    : require_shipped(zoo, "reproducing on the small models");
  return found.parent_path().parent_path() / "configs";
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
  const PairArguments& pair = arguments.pair;
  SweepConfig sweep =
      parse_sweep(kReproduceYaml, "reproduce.yaml (built in)", configs_folder(pair), overrides);
  if (!arguments.haystack.empty()) {
    const bool repeat = sweep.haystack.repeat;
    sweep.haystack = tasks::find_haystack(arguments.haystack);
    sweep.haystack.repeat = repeat;
  }
  if (pair.any() && (pair.pre.empty() || (pair.post.empty() && pair.adapter.empty())))
    throw UsageError(
        "--pre and --post belong together: the checkpoints before and after the fine-tune (or "
        "--pre and --adapter)");
  if (!pair.any()) {
    if (!arguments.config_overrides.empty())
      throw UsageError("--override changes the config.json of --pre and --post: give those too");
    return sweep;
  }

  ModelConfig& model = sweep.models.front();
  model.name = arguments.family;
  model.base = pair.before();
  model.base_place = "--pre";
  model.sft = pair.after();
  model.sft_place = pair.post.empty() ? "--adapter" : "--post";
  for (const std::string& text : arguments.config_overrides)
    add_config_override(model.override, text);
  std::erase_if(model.variants,
                [](const VariantConfig& v) { return v.kind == VariantKind::kCheckpoint; });
  describe_plainly(model);
  sweep.name = arguments.family;
  sweep.title = fmt::format(
      "Recall of {} before and after its fine-tune, and with Q and K restored", arguments.family);
  sweep.tokenizer = pair.pre;
  sweep.reasoning.clear();
  sweep.caveats.clear();
  return sweep;
}

ExitCode run_reproduce(const ReproduceArguments& arguments) {
  const SweepConfig sweep = reproduce_sweep(arguments);
  const Progress clock("", 1, /*quiet=*/true);
  const reports::Report report = run_with_engines(sweep, arguments.options);
  const ExitCode code = print_report(report, arguments.options.out);
  say("Took {}.\n", format_duration(clock.elapsed()));
  return code;
}

}  // namespace

void add_reproduce_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReproduceArguments>();
  CLI::App* command = add_command(program, kReproduce);
  command->add_option("--out", arguments->options.out, "Folder of the run")
      ->type_name(kFolderValue)
      ->capture_default_str();
  command->add_flag("--quick", arguments->quick,
                    "A look in about a minute: 4K and 16K alone, 8 samples a cell");
  command->add_flag("--full", arguments->full,
                    "100 samples a cell (without it 40 at 4K down to 5 at 256K)");
  add_pair_options(*command, arguments->pair, /*is_optional=*/true);
  command->add_option("--family", arguments->family, "What the report calls the pair")
      ->type_name("NAME")
      ->capture_default_str();
  add_repeated(*command, "--override", arguments->config_overrides,
               "Change a field of the pair's config.json for this run:"
               " --override \"attn_logits_scaling=hype 500\"");
  command
      ->add_option("--haystack", arguments->haystack,
                   "The text to hide needles in: kjv, prose, a folder of .txt files, or a text "
                   "file (default: kjv)")
      ->type_name(kHaystackValue);
  add_repeated(*command, "--set", arguments->overrides,
               "Change a key of configs/reproduce.yaml: --set runtime.dtype=bf16");
  command->add_flag("--quiet", arguments->options.quiet, "Show no progress line");
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return with_mark(arguments->options.out, [&] { return run_reproduce(*arguments); });
    };
  });
}

}  // namespace niah
