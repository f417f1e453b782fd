#include "harness/cli/print_sample.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/base/output.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/analysis/cells.h"
#include "reports/format.h"

namespace niah {
namespace {

/// The sentence that has to be found.
std::string needle_text(const tasks::Sample& sample) {
  const std::size_t begin = byte_of_code_point(sample.input, sample.needle.begin);
  return sample.input.substr(begin, byte_of_code_point(sample.input, sample.needle.end) - begin);
}

}  // namespace

CLI::App* add_sample_command(CLI::App& program, const CommandText& text,
                             SampleArguments& arguments) {
  CLI::App* command = add_command(program, text);
  command->add_option("run", arguments.run, "Run folder")->type_name(kFolderValue)->required();
  command
      ->add_option("sample", arguments.sample,
                   "Which sample: task, length and index, such as s2@16K#7; of a reasoning set "
                   "name and index, such as gsm8k#7")
      ->type_name("ID")
      ->required();
  return command;
}

std::string quoted(const std::string& text, std::size_t code_points) {
  return "\"" + reports::shorten(reports::one_line(text), code_points) + "\"";
}

std::string outcome_of(const reports::Record& record) {
  if (!record.scored())
    return fmt::format("{}: {}", reports::outcome_label(record.outcome), record.detail);
  std::string line = fmt::format("{:16}", reports::miss_label(record.miss));
  if (record.value_rank && record.value_log_prob)
    line += fmt::format("  answer's worst rank {}, log-probability {}", *record.value_rank,
                        reports::signed_number(*record.value_log_prob, 3));
  return line + "  said " + quoted(record.text);
}

void print_sample(const SampleId& id, const StoredSample& stored,
                  const models::Tokenizer& tokenizer) {
  const reports::Record& record_template = stored.question.record_template;
  const std::string& prompt = stored.prompt;
  print_out("{}\n", id.text());
  print_out("  prompt    {} tokens, sha256 {}\n", format_count(record_template.prompt_tokens),
            record_template.prompt_sha256);
  if (const auto& sample = stored.sample) {
    // With `bos: false` the model does not read what the tokenizer puts in front of the prompt.
    const std::int64_t dropped = tokenizer.count_prompt(prompt) - record_template.prompt_tokens;
    if (sample->needle == tasks::Span{}) {
      print_out("  needle    none\n");
    } else {
      const TokenSpan needle = needle_tokens(*sample, prompt, tokenizer);
      print_out("  needle    at {:.1f} % of the haystack ({:.1f} % asked for), tokens {} to {}\n",
                sample->real_depth, sample->depth, format_count(needle.begin - dropped),
                format_count(needle.end - dropped));
      print_out("            {}\n", quoted(needle_text(*sample)));
    }
    print_out("  begins    {}\n", quoted(sample->input, 120));
  }
  constexpr std::size_t kEnd = 160;
  print_out(
      "  ends      {}\n",
      quoted(valid_utf8(prompt.size() > kEnd ? prompt.substr(prompt.size() - kEnd) : prompt)));
  print_out("  expected  {}\n", fmt::join(record_template.expected, ", "));
}

}  // namespace niah
