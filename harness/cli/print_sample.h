// What `show` and `replay` share: which sample is meant, and how it is shown.
#pragma once

#include <cstddef>
#include <string>

#include "harness/cli/command.h"
#include "harness/plan/run_folder.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"

namespace niah {

/// A sample of a run, as the command line names it.
struct SampleArguments {
  std::string run, sample;
};

/// Adds a command about one sample of a run, with the arguments that name the sample.
CLI::App* add_sample_command(CLI::App& program, const CommandText& text,
                             SampleArguments& arguments);

/// A text on one line, in quotes, cut to `code_points`.
std::string quoted(const std::string& text, std::size_t code_points = 160);

/// "hit  answer's worst rank 1, log-probability −0.02  said " 1234567""
std::string outcome_of(const reports::Record& record);

/// Prints the question to standard output: the prompt's size, beginning and end, the needle, the
/// expected answer.
void print_sample(const SampleId& id, const StoredSample& stored,
                  const models::Tokenizer& tokenizer);

}  // namespace niah
