#include "harness/cli/pair_sweep.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "harness/base/output.h"
#include "harness/base/progress.h"
#include "harness/base/shipped_data.h"
#include "harness/cli/print_report.h"
#include "harness/config/variant_words.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

/// The folder that the built-in sweep's relative paths count from. The models that come with the
/// program have to be there only if no others are named.
fs::path configs_folder(const PairArguments& pair) {
  const fs::path zoo = "models/zoo";
  const fs::path found = pair.any() ? find_shipped(zoo).value_or(zoo)
                                    : require_shipped(zoo, "measuring the small models");
  return found.parent_path().parent_path() / "configs";
}

void require_whole_pair(const PairSweepArguments& arguments) {
  const PairArguments& pair = arguments.pair;
  if (pair.any() && (pair.pre.empty() || (pair.post.empty() && pair.adapter.empty())))
    throw UsageError(
        "--pre and --post belong together: the checkpoints before and after the fine-tune (or "
        "--pre and --adapter)");
  if (!pair.any() && !arguments.config_overrides.empty())
    throw UsageError("--override changes the config.json of --pre and --post: give those too");
}

/// Whether reasoning sets were asked for by --set.
bool asks_for_reasoning(const Overrides& overrides) {
  return std::ranges::any_of(overrides, [](const auto& override) {
    return override.first == "reasoning" || override.first.starts_with("reasoning.");
  });
}

/// Puts the pair in place of the sweep's first model.
void use_pair(SweepConfig& sweep, const PairSweepArguments& arguments, const std::string& title) {
  const PairArguments& pair = arguments.pair;
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
  sweep.title = title;
  sweep.tokenizer = pair.pre;
  sweep.caveats.clear();
}

}  // namespace

SweepConfig pair_sweep(const PairSweepArguments& arguments, const char* yaml,
                       const std::string& file, Overrides overrides, const std::string& title) {
  const Overrides own = parse_overrides(arguments.overrides);
  overrides.insert(overrides.end(), own.begin(), own.end());
  SweepConfig sweep =
      parse_sweep(yaml, file + " (built in)", configs_folder(arguments.pair), overrides);
  if (!arguments.haystack.empty()) {
    const bool repeat = sweep.haystack.repeat;
    sweep.haystack = tasks::find_haystack(arguments.haystack);
    sweep.haystack.repeat = repeat;
  }
  require_whole_pair(arguments);
  if (arguments.pair.any()) {
    use_pair(sweep, arguments, title);
    // The built-in set is of the small models' own training.
    if (!asks_for_reasoning(own)) sweep.reasoning.clear();
  }
  return sweep;
}

ExitCode run_pair_sweep(const std::function<reports::Report()>& run,
                        const std::filesystem::path& out) {
  const Progress clock("", 1, /*quiet=*/true);
  const ExitCode code = print_report(run(), out);
  say("Took {}.\n", format_duration(clock.elapsed()));
  return code;
}

void add_pair_sweep_options(CLI::App& command, PairSweepArguments& arguments,
                            const std::string& config) {
  command.add_option("--out", arguments.options.out, "Folder of the run")
      ->type_name(kFolderValue)
      ->capture_default_str();
  add_pair_options(command, arguments.pair, /*is_optional=*/true);
  command.add_option("--family", arguments.family, "What the report calls the pair")
      ->type_name("NAME")
      ->capture_default_str();
  add_repeated(command, "--override", arguments.config_overrides,
               "Change a field of the pair's config.json for this run:"
               " --override \"attn_logits_scaling=hype 500\"");
  command
      .add_option("--haystack", arguments.haystack,
                  "The text to hide needles in: kjv, prose, a folder of .txt files, or a text "
                  "file (default: kjv)")
      ->type_name(kHaystackValue);
  add_repeated(command, "--set", arguments.overrides,
               "Change a key of configs/" + config + ": --set runtime.dtype=bf16");
  command.add_flag("--quiet", arguments.options.quiet, "Show no progress line");
}

}  // namespace niah
