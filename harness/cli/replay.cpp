// niah replay: one stored sample, asked again.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/cli/command.h"
#include "harness/cli/model_commands.h"
#include "harness/cli/print_sample.h"
#include "harness/cost/memory_limit.h"
#include "harness/engine/local/decode_session.h"
#include "harness/engine/local/loading.h"
#include "harness/engine/local/machine.h"
#include "harness/plan/run_folder.h"
#include "harness/run/asking.h"
#include "models/decode/prefix_reader.h"
#include "reports/analysis/variant_labels.h"

namespace niah {
namespace {

struct ReplayArguments {
  SampleArguments which;
  std::string variant;
  std::int64_t top = 5;
};

/// Prints the most likely tokens of logits [1, vocab], with their probabilities.
void print_likeliest(const at::Tensor& logits, std::int64_t top,
                     const models::Tokenizer& tokenizer) {
  const at::Tensor probabilities = at::softmax(logits[0].to(at::kDouble), -1);
  const auto [values, ids] = probabilities.topk(std::min(top, probabilities.size(0)));
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    const auto token = ids[i].item<std::int64_t>();
    print_out("    {:7.3f} %  logit {:9.3f}  token {:>7}  {}\n", 100 * values[i].item<double>(),
              logits[0][token].item<double>(), token,
              quoted(tokenizer.decode_output({static_cast<models::TokenId>(token)})));
  }
}

/// The run's entry for a variant. Without one, because the checkpoint has changed since, the
/// variant's own description.
const reports::VariantInfo& known_variant(const reports::RunInfo& info,
                                          const LoadedVariant& variant) {
  const reports::VariantInfo* known = reports::find_variant(info, variant.info.fingerprint);
  return known != nullptr ? *known : variant.info;
}

/// Asks one variant and prints its answer. Returns whether it is the recorded one, or there is no
/// record.
bool replay(const RunFolder& run, const LoadedVariant& variant, const Question& question,
            const Request& request, const std::vector<reports::Record>& records, std::int64_t chunk,
            std::int64_t top) {
  const TokenIds prompt(request.ids.begin(), request.ids.end());
  models::PrefixReader reader({variant.model}, request.longest());
  read_prompt(reader, request.ids, 0, chunk, [](std::int64_t) {});
  print_out("\n{}\n", reports::label_of(run.info(), known_variant(run.info(), variant)));
  const models::PrefixReader::Snapshot before = reader.mark();
  print_out("  first token of the answer:\n");
  print_likeliest(reader.read_one(0, {prompt.back()}, 1), top, run.work().tokenizer());
  reader.rewind(before);
  DecodeSession session({}, request, variant.model->info().eos_ids, prompt, run.work().tokenizer());
  while (session.pass(reader, 0)) {
  }
  const reports::Record record = record_of(question, variant.info.fingerprint, session.answer());
  print_out("  {}\n  ids       {}\n", outcome_of(record), fmt::join(record.ids, " "));
  const auto stored = std::find_if(records.begin(), records.end(),
                                   [&](const auto& one) { return one.variant == record.variant; });
  if (stored == records.end()) {
    print_out("  the run has no record of it\n");
    return true;
  }
  const bool same = stored->ids == record.ids && stored->score == record.score &&
                    stored->outcome == record.outcome;
  print_out("  {}\n", same ? "as recorded" : "! the run recorded: " + outcome_of(*stored));
  return same;
}

ExitCode run_replay(const ReplayArguments& arguments) {
  const RunFolder run(arguments.which.run, arguments.variant);
  if (!has_local_variant(run.work().sweep()))
    throw UsageError(fmt::format(
        "replay asks checkpoints again, and here is none: {} of {} is served; `niah show` says "
        "what "
        "a server answered",
        arguments.variant.empty() ? "all" : fmt::format("'{}'", valid_utf8(arguments.variant)),
        arguments.which.run));
  const SampleId id = parse_sample_id(arguments.which.sample);
  StoredSample stored = run.sample(id);
  print_sample(id, stored, run.work().tokenizer());
  const Request request =
      request_of(stored.question, stop_ids(run.work().format(), run.work().tokenizer()));
  const Machine machine = prepare_machine(run.work().sweep().runtime);
  require_memory(run.work(), machine);
  const auto records = run.records(id);
  const std::int64_t chunk = prefill_chunk(run.work().sweep().runtime, machine);
  bool same = true;
  const reports::RunInfo& info = run.info();
  const bool is_known = info.tokenizer_tables_sha256 == run.work().tokenizer().tables_sha256();
  for (const LoadedVariant& variant :
       load_all(run.work(), machine, is_known ? info.tokenizer_sha256 : ""))
    same = replay(run, variant, stored.question, request, records, chunk, arguments.top) && same;
  return same ? ExitCode::kOk : ExitCode::kCheckFailed;
}

}  // namespace

void add_replay_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* command = add_sample_command(program, kReplay, arguments->which);
  command
      ->add_option(
          "--variant", arguments->variant,
          "Ask only this variant: base, sft, qk, ... (default: all that are computed here)")
      ->type_name("VARIANT");
  add_integer(*command, "--top", arguments->top, {1, 1000},
              "How many of the likeliest first tokens to show");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_replay(*arguments); }; });
}

}  // namespace niah
