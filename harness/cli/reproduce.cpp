// niah reproduce: the paper's story end to end.
#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_sweep.h"
#include "harness/cli/run_with_engines.h"
#include "harness/embedded_configs.h"
#include "harness/plan/companions.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

struct ReproduceArguments {
  PairSweepArguments sweep{.options = {"runs/reproduce", false}};
  bool quick = false;
  bool full = false;
  bool alone = false;
};

/// Whether the models that come with the program are measured, and not only looked at.
bool has_companion(const ReproduceArguments& arguments) {
  return !arguments.sweep.pair.any() && !arguments.quick && !arguments.alone;
}

constexpr std::string_view kBeside = "beside.";

bool is_for_companion(const std::string& override) { return override.starts_with(kBeside); }

/// What happens without the device, and which part forgot: a smaller run beside the story. Of the
/// changes by --set it takes its own, and those of how the story is computed.
void run_companion(const PairSweepArguments& story) {
  PairSweepArguments beside = story;
  beside.options.out = companion_folder(story.options.out, "plain");
  beside.overrides.clear();
  for (const std::string& text : story.overrides) {
    if (text.starts_with("runtime.")) beside.overrides.push_back(text);
    if (is_for_companion(text)) beside.overrides.push_back(text.substr(kBeside.size()));
  }
  const SweepConfig sweep =
      pair_sweep(beside, kReproduceBesideYaml, "reproduce_beside.yaml", {}, "");
  run_with_engines(sweep, beside.options);
}

ExitCode run_reproduce(const ReproduceArguments& arguments) {
  if (arguments.quick && arguments.full) throw UsageError("give --quick or --full, not both");
  Overrides overrides;
  if (arguments.quick) {
    overrides.emplace_back("lengths", "[4K, 16K]");
    overrides.emplace_back("samples", "8");
    overrides.emplace_back("reasoning.samples", "30");
  }
  if (arguments.full) overrides.emplace_back("samples", "100");
  const std::string title =
      fmt::format("Recall of {} before and after its fine-tune, and with Q and K restored",
                  arguments.sweep.family);
  PairSweepArguments story = arguments.sweep;
  std::erase_if(story.overrides, is_for_companion);
  const SweepConfig sweep =
      pair_sweep(story, kReproduceYaml, "reproduce.yaml", std::move(overrides), title);
  const RunOptions& options = story.options;
  return run_pair_sweep(
      [&] {
        reports::Report report = run_with_engines(sweep, options);
        if (has_companion(arguments)) run_companion(arguments.sweep);
        add_companions(report, options.out);
        return report;
      },
      options.out);
}

}  // namespace

void add_reproduce_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReproduceArguments>();
  CLI::App* command = add_command(program, kReproduce);
  command->add_flag("--quick", arguments->quick,
                    "A look in about a minute: 4K and 16K alone, 8 samples a cell, and no run "
                    "beside");
  command->add_flag("--full", arguments->full,
                    "100 samples a cell (without it 40 at 4K down to 5 at 256K)");
  command->add_flag("--alone", arguments->alone,
                    "Leave out the run beside the story: no device, the controls, and which part "
                    "of the weights forgot. --set beside.samples=10 changes a key of that one, "
                    "which is configs/reproduce_beside.yaml");
  add_pair_sweep_options(*command, arguments->sweep, "reproduce.yaml");
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return with_mark(arguments->sweep.options.out, [&] { return run_reproduce(*arguments); });
    };
  });
}

}  // namespace niah
