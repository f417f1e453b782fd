// niah show, niah replay: one stored sample, looked at and asked again.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/commands/commands.h"
#include "harness/run/pricing.h"
#include "harness/run/probe.h"
#include "harness/run/stored_run.h"
#include "models/reader.h"
#include "reports/cells.h"
#include "reports/format.h"
#include "reports/variants.h"

namespace niah {
namespace {

struct ShowArguments {
  std::string run, sample, variant;
  bool prompt = false;
  std::int64_t top = 5;
};

/// A text on one line, in quotes.
std::string quoted(const std::string& text, std::size_t code_points = 160) {
  return "\"" + reports::shorten(reports::one_line(text), code_points) + "\"";
}

/// "hit  answer's worst rank 1, log-probability −0.02  said " 1234567""
std::string outcome_of(const reports::Record& record) {
  if (!record.scored()) return fmt::format("{}: {}", record.outcome, record.detail);
  std::string line = fmt::format("{:16}", reports::miss_label(record.miss));
  if (record.value_rank && record.value_log_prob)
    line += fmt::format("  answer's worst rank {}, log-probability {}", *record.value_rank,
                        reports::signed_number(*record.value_log_prob, 3));
  return line + "  said " + quoted(record.text);
}

/// The sentence that has to be found.
std::string needle_text(const tasks::Sample& sample) {
  const std::size_t begin = byte_of_code_point(sample.input, sample.needle.begin);
  return sample.input.substr(begin, byte_of_code_point(sample.input, sample.needle.end) - begin);
}

void print_sample(const SampleId& id, const StoredSample& stored,
                  const models::Tokenizer& tokenizer) {
  const reports::Record& blank = stored.question.blank;
  const std::string& prompt = stored.prompt;
  print_out("{}\n", id.text());
  print_out("  prompt    {} tokens, sha256 {}\n", format_count(blank.prompt_tokens),
            blank.prompt_sha256);
  if (const auto& sample = stored.sample) {
    // Not every sweep keeps what the tokenizer puts in front.
    const std::int64_t dropped = tokenizer.count_prompt(prompt) - blank.prompt_tokens;
    const TokenSpan needle = needle_tokens(*sample, prompt, tokenizer);
    print_out("  needle    at {:.1f} % of the haystack ({:.1f} % asked for), tokens {} to {}\n",
              sample->real_depth, sample->depth, format_count(needle.begin - dropped),
              format_count(needle.end - dropped));
    print_out("            {}\n", quoted(needle_text(*sample)));
    print_out("  begins    {}\n", quoted(sample->input, 120));
  }
  constexpr std::size_t kEnd = 160;
  print_out(
      "  ends      {}\n",
      quoted(valid_utf8(prompt.size() > kEnd ? prompt.substr(prompt.size() - kEnd) : prompt)));
  print_out("  expected  {}\n", fmt::join(blank.expected, ", "));
}

ExitCode run_show(const ShowArguments& arguments) {
  const StoredRun run(arguments.run, "");
  const SampleId id = parse_sample_id(arguments.sample);
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
      if (record.prompt_sha256 != stored.question.blank.prompt_sha256)
        print_out("  {:14}  ! the prompt was another then: sha256 {}\n", "", record.prompt_sha256);
    }
  return ExitCode::kOk;
}

/// The likeliest tokens of logits [1, vocab], with their probabilities.
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

/// The run's own entry of a variant, which a checkpoint that has changed since does not have.
const reports::VariantInfo& known_variant(const reports::RunInfo& info,
                                          const LoadedVariant& variant) {
  const reports::VariantInfo* known = reports::find_variant(info, variant.info.fingerprint);
  return known != nullptr ? *known : variant.info;
}

/// Asks one variant; whether it says what the journal has.
bool replay(const StoredRun& run, const LoadedVariant& variant, const Question& question,
            const std::vector<reports::Record>& records, std::int64_t chunk, std::int64_t top) {
  const TokenIds prompt(question.ids.begin(), question.ids.end());
  models::Reader reader({variant.model}, question.longest());
  read_prompt(reader, question.ids, 0, chunk, [](std::int64_t) {});
  print_out("\n{}\n", reports::label_of(run.info(), known_variant(run.info(), variant)));
  const models::Reader::Point before = reader.mark();
  print_out("  first token of the answer:\n");
  print_likeliest(reader.read_one(0, {prompt.back()}, 1), top, run.work().tokenizer());
  reader.rewind(before);
  Asking asking(question, variant.info.fingerprint,
                stop_ids(*variant.model, run.work().tokenizer(), run.work().format()), prompt,
                run.work().tokenizer());
  while (asking.pass(reader, 0)) {
  }
  const reports::Record record = asking.record();
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

ExitCode run_replay(const ShowArguments& arguments) {
  const StoredRun run(arguments.run, arguments.variant);
  const SampleId id = parse_sample_id(arguments.sample);
  const StoredSample stored = run.sample(id);
  print_sample(id, stored, run.work().tokenizer());
  const Machine machine = prepare_machine(run.work().sweep().runtime);
  require_memory(run.work(), machine);
  const auto records = run.records(id);
  const std::int64_t chunk = prefill_chunk(run.work().sweep().runtime, machine);
  bool same = true;
  const reports::RunInfo& info = run.info();
  const bool is_known = info.tokenizer_tables_sha256 == run.work().tokenizer().tables_sha256();
  for (const LoadedVariant& variant :
       load_all(run.work(), machine, is_known ? info.tokenizer_sha256 : ""))
    same = replay(run, variant, stored.question, records, chunk, arguments.top) && same;
  return same ? ExitCode::kOk : ExitCode::kCheckFailed;
}

CLI::App* add_sample_command(CLI::App& program, const std::string& name,
                             const std::string& description, const std::string& example,
                             ShowArguments& arguments) {
  CLI::App* command = add_command(program, name, description, example);
  command->add_option("run", arguments.run, "Run folder")->required();
  command
      ->add_option("sample", arguments.sample,
                   "Which one: task, length and index such as s2@64K#7; gsm8k#7")
      ->required();
  return command;
}

}  // namespace

void add_show_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command = add_sample_command(
      program, "show", "Make one sample of a run again, and say what became of it",
      "niah show runs/reproduce s2@64K#7\n"
      "  niah show runs/reproduce s2@64K#7 --prompt > prompt.txt",
      *arguments);
  command->add_flag("--prompt", arguments->prompt, "Only the prompt, as the model reads it");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_show(*arguments); }; });
}

void add_replay_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command = add_sample_command(
      program, "replay",
      "Ask one sample of a run again, alone (exit 1: the answer is not the recorded one)",
      "niah replay runs/reproduce s2@64K#7 --variant sft", *arguments);
  command->add_option("--variant", arguments->variant, "Only this variant: base, sft, qk ...");
  add_integer(*command, "--top", arguments->top, {1, 1000}, "Likeliest first tokens to show");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_replay(*arguments); }; });
}

}  // namespace niah
