// niah show: one sample of a run, generated again and shown with its records.
#include "harness/base/output.h"
#include "harness/cli/command.h"
#include "harness/cli/print_sample.h"
#include "harness/plan/run_folder.h"
#include "reports/analysis/variant_labels.h"

namespace niah {
namespace {

struct ShowArguments {
  SampleArguments which;
  bool prompt = false;
};

ExitCode run_show(const ShowArguments& arguments) {
  const RunFolder run(arguments.which.run, "");
  const SampleId id = parse_sample_id(arguments.which.sample);
  const StoredSample stored = run.sample(id);
  if (arguments.prompt) {
    write_stdout(stored.prompt);
    return ExitCode::kOk;
  }
  print_sample(id, stored, run.work().tokenizer());
  const auto records = run.records(id);
  print_out("\n");
  if (records.empty()) print_out("  not asked yet\n");
  for (const reports::VariantInfo& variant : run.info().variants)
    for (const reports::Record& record : records) {
      if (record.variant != variant.fingerprint) continue;
      print_out("  {:14}  {}\n", reports::label_of(run.info(), variant), outcome_of(record));
      if (record.prompt_sha256 != stored.question.record_template.prompt_sha256)
        print_out("  {:14}  ! the prompt was another then: sha256 {}\n", "", record.prompt_sha256);
    }
  return ExitCode::kOk;
}

}  // namespace

void add_show_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command =
      add_sample_command(program,
                         {"show", "Make one sample of a run again, and say what became of it",
                          "niah show runs/reproduce s2@16K#7\n"
                          "  niah show runs/reproduce s2@16K#7 --prompt > prompt.txt"},
                         arguments->which);
  command->add_flag("--prompt", arguments->prompt, "Print the prompt alone, as the model reads it");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_show(*arguments); }; });
}

}  // namespace niah
