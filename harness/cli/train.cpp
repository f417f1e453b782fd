// niah train: the zoo's training recipes.
#include <fmt/format.h>

#include <filesystem>

#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/training/tokenizer_training.h"
#include "harness/training/train.h"

namespace niah {
namespace {

struct TrainArguments {
  std::string recipe;
  zoo::TrainRun run;
};

ExitCode run_train(const TrainArguments& arguments) {
  if (zoo::is_tokenizer_recipe(arguments.recipe))
    zoo::train_tokenizer(zoo::read_tokenizer_recipe(arguments.recipe), arguments.run.out);
  else
    zoo::train(zoo::read_recipe(arguments.recipe), arguments.run);
  return ExitCode::kOk;
}

}  // namespace

void add_train_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App* command = add_command(program, kTrain);
  command->add_option("recipe", arguments->recipe, "The recipe (YAML), of a model or a tokenizer")
      ->type_name(kFileValue)
      ->required();
  command->add_option("--out", arguments->run.out, "Folder to make for what was trained")
      ->type_name(kFolderValue)
      ->required();
  command->add_flag("--quiet", arguments->run.quiet, "Show no progress line");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_train(*arguments); }; });
}

}  // namespace niah
