// niah tokenize: token ids without any model.
#include <cstdio>
#include <iostream>
#include <memory>

#include "harness/base/output.h"
#include "harness/cli/command.h"
#include "models/tokenizer/tokenize_lines.h"
#include "models/tokenizer/tokenizer.h"

namespace niah {

void add_tokenize_command(CLI::App& program, Command& chosen) {
  const auto tokenizer = std::make_shared<std::string>();
  CLI::App* command =
      add_command(program, "tokenize", "Token ids of JSON strings, one a line on standard input",
                  "echo '\"Hello world\"' | niah tokenize --tokenizer models/zoo/tokenizer");
  command->add_option("--tokenizer", *tokenizer, "Checkpoint folder or tokenizer file")
      ->type_name(kPathValue)
      ->required();
  command->callback([tokenizer, &chosen] {
    chosen = [tokenizer] {
      models::tokenize_lines(std::cin, write_stdout, *models::open_tokenizer(*tokenizer));
      // The stream treats a failed read as the end of the input.
      if (std::ferror(stdin) != 0)
        throw DataError("tokenizing: standard input cannot be read to its end (is it a folder?)");
      return ExitCode::kOk;
    };
  });
}

}  // namespace niah
