// niah selftest: the same answer however the text is split into passes.
#include "models/instruments/selftest.h"

#include "harness/base/output.h"
#include "harness/base/units.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/runtime_options.h"

namespace niah {
namespace {

struct SelftestArguments {
  RuntimeArguments model;
  models::SelftestOptions options;
};

ExitCode run_selftest(const SelftestArguments& arguments) {
  const auto model = arguments.model.load();
  bool good = true;
  for (const models::SelftestCheck& check : models::selftest(*model, arguments.options)) {
    print_out("{}\n", describe(check));
    good = good && check.passed;
  }
  return good ? ExitCode::kOk : ExitCode::kCheckFailed;
}

}  // namespace

void add_selftest_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<SelftestArguments>();
  CLI::App* command = add_command(program, kSelftest);
  add_model_options(*command, arguments->model);
  add_integer(*command, "--chunk", arguments->options.chunk, {1, kLongestLength},
              "Tokens of a piece, for the answer in chunks");
  add_runtime_options(*command, arguments->model);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_selftest(*arguments); }; });
}

}  // namespace niah
