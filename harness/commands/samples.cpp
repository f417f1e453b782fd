// niah generate, niah tokenize: samples and token ids without any model.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/units.h"
#include "harness/commands/commands.h"
#include "models/tokenizer/tokenize_lines.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/protocol.h"

namespace niah {
namespace {

struct GenerateArguments {
  std::string protocol = "niah", task, length, tokenizer, haystack, haystack_kind, out = "-";
  std::int64_t samples = 10;
  std::uint64_t seed = 0;
  bool repeat = false;
};

/// What --haystack means: a name (kjv, prose), a folder of essays, or a file.
tasks::HaystackSpec haystack_spec(const GenerateArguments& arguments) {
  tasks::HaystackSpec spec;
  spec.repeat = arguments.repeat;
  if (arguments.haystack == "kjv" || arguments.haystack == "prose") {
    spec.kind = tasks::parse_haystack_kind(arguments.haystack);
    return spec;
  }
  spec.path = arguments.haystack;
  spec.kind = std::filesystem::is_directory(spec.path) ? tasks::HaystackKind::kEssays
                                                       : tasks::HaystackKind::kText;
  return spec;
}

ExitCode run_generate(const GenerateArguments& arguments) {
  const auto length = parse_length(arguments.length);
  if (!length)
    throw UsageError(
        fmt::format("--length '{}': a length such as 4096 or 4K was expected", arguments.length));
  if (arguments.samples < 1) throw UsageError("--samples: at least 1 was expected");
  const auto tokenizer = models::open_tokenizer(arguments.tokenizer);
  tasks::ProtocolSpec protocol;
  protocol.protocol = arguments.protocol;
  protocol.seed = arguments.seed;
  protocol.haystack = tasks::open_haystack(haystack_spec(arguments));
  protocol.count = [tokenizer](std::string_view text) {
    return tokenizer->count(text) + static_cast<std::int64_t>(tokenizer->prefix_ids().size() +
                                                              tokenizer->suffix_ids().size());
  };
  const auto cells = tasks::make_cells(protocol, {{arguments.task, *length, arguments.samples}});
  std::ofstream file;
  const std::filesystem::path partial = arguments.out + ".partial";
  if (arguments.out != "-") {
    file.open(partial);
    if (!file) throw DataError(fmt::format("writing {}: cannot create it", arguments.out));
  }
  std::ostream& out = arguments.out == "-" ? std::cout : file;
  for (std::int64_t i = 0; i < arguments.samples; ++i) {
    stop_if_interrupted();
    out << nlohmann::json(cells.front()->sample(i)).dump() << '\n';
  }
  out.flush();
  if (!out) throw DataError(fmt::format("writing {}: is the disk full?", arguments.out));
  if (arguments.out != "-") std::filesystem::rename(partial, arguments.out);
  return ExitCode::kOk;
}

}  // namespace

void add_generate_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* command =
      add_command(program, "generate", "Write samples as JSON lines, in any protocol",
                  "niah generate --protocol niah --task s2 --length 4K --samples 3 --seed 1 \\\n"
                  "    --tokenizer models/zoo/tokenizer --haystack kjv --out -");
  command->add_option("--protocol", arguments->protocol, "niah, lm-eval or ruler")
      ->capture_default_str();
  command->add_option("--task", arguments->task, "s1, s2, s3, ...")->required();
  command->add_option("--length", arguments->length, "Nominal tokens: 4096, 4K, ...")->required();
  command->add_option("--samples", arguments->samples, "How many")->capture_default_str();
  command->add_option("--seed", arguments->seed, "Seed")->capture_default_str();
  command->add_option("--tokenizer", arguments->tokenizer, "Checkpoint folder or tokenizer file")
      ->required();
  command
      ->add_option("--haystack", arguments->haystack,
                   "kjv, prose, a folder of .txt essays, or a text file")
      ->required();
  command->add_flag("--repeat", arguments->repeat, "Start the text again when it ends");
  command->add_option("--out", arguments->out, "File, or - for standard output")
      ->capture_default_str();
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_generate(*arguments); }; });
}

void add_tokenize_command(CLI::App& program, Command& chosen) {
  const auto tokenizer = std::make_shared<std::string>();
  CLI::App* command =
      add_command(program, "tokenize", "Token ids of JSON strings, one a line on standard input",
                  "echo '\"Hello world\"' | niah tokenize --tokenizer models/zoo/tokenizer");
  command->add_option("--tokenizer", *tokenizer, "Checkpoint folder or tokenizer file")->required();
  command->callback([tokenizer, &chosen] {
    chosen = [tokenizer] {
      models::tokenize_lines(std::cin, std::cout, *models::open_tokenizer(*tokenizer));
      return ExitCode::kOk;
    };
  });
}

}  // namespace niah
