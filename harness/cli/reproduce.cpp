// niah reproduce: the paper's story end to end.
#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/pair_sweep.h"
#include "harness/cli/run_with_engines.h"
#include "harness/embedded_configs.h"
#include "harness/plan/run_mark.h"

namespace niah {
namespace {

struct ReproduceArguments {
  PairSweepArguments sweep{.options = {"runs/reproduce", false}};
  bool quick = false;
  bool full = false;
};

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
  const SweepConfig sweep =
      pair_sweep(arguments.sweep, kReproduceYaml, "reproduce.yaml", std::move(overrides), title);
  const RunOptions& options = arguments.sweep.options;
  return run_pair_sweep([&] { return run_with_engines(sweep, options); }, options.out);
}

}  // namespace

void add_reproduce_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReproduceArguments>();
  CLI::App* command = add_command(program, kReproduce);
  command->add_flag("--quick", arguments->quick,
                    "A look in about a minute: 4K and 16K alone, 8 samples a cell");
  command->add_flag("--full", arguments->full,
                    "100 samples a cell (without it 40 at 4K down to 5 at 256K)");
  add_pair_sweep_options(*command, arguments->sweep, "reproduce.yaml");
  command->callback([arguments, &chosen] {
    chosen = [arguments] {
      return with_mark(arguments->sweep.options.out, [&] { return run_reproduce(*arguments); });
    };
  });
}

}  // namespace niah
