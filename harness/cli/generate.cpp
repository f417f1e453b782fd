// niah generate: samples without any model.
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "harness/base/interrupt.h"
#include "harness/base/output.h"
#include "harness/base/pending_folder.h"
#include "harness/base/progress.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/plan/sizing.h"
#include "models/tokenizer/prompt_encoder.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/protocol.h"
#include "tasks/task.h"

namespace niah {
namespace {

struct GenerateArguments {
  std::string protocol = "niah", task, length, tokenizer, haystack, out = "-";
  std::int64_t samples = 10;
  std::uint64_t seed = 0;
  bool repeat = false, token_ids = false;
};

/// Whether the task hides something in a text; those that do not make all of theirs themselves.
bool needs_haystack(const std::string& task) {
  const tasks::Task* known = tasks::known_task(task);
  return known != nullptr && known->family == tasks::TaskFamily::kNeedle &&
         known->haystack == tasks::HaystackType::kText;
}

/// The text of --haystack; nullptr where none is given and the task needs none.
std::shared_ptr<const tasks::Haystack> haystack_of(const GenerateArguments& arguments,
                                                   const std::string& task) {
  if (arguments.haystack.empty() && needs_haystack(task))
    throw UsageError(fmt::format(
        "--haystack is required: task {} hides its needles in a text (kjv, prose, a folder of .txt "
        "files, or a text file)",
        task));
  if (arguments.haystack.empty()) return nullptr;
  tasks::HaystackSpec spec = tasks::find_haystack(arguments.haystack);
  spec.repeat = arguments.repeat;
  return tasks::open_haystack(spec);
}

/// Appends `"input_ids": [...]` to a JSON object's text.
void add_ids(std::string& line, const std::vector<models::TokenId>& ids) {
  line.pop_back();
  line += ",\"input_ids\":[";
  for (const models::TokenId id : ids) {
    const fmt::format_int digits(id);
    line.append(digits.data(), digits.size());
    line += ',';
  }
  if (!ids.empty()) line.pop_back();
  line += "]}";
}

struct WrittenSample {
  std::string line;
  std::int64_t length = 0;
};

/// Makes the samples of a cell and serialises them on all cores, a batch at a time.
class Writers {
 public:
  Writers(const tasks::Cell& cell, const models::Tokenizer& tokenizer, bool token_ids)
      : cell_(&cell), token_ids_(token_ids) {
    const auto threads = std::max(1U, std::thread::hardware_concurrency());
    encoders_.resize(threads, models::PromptEncoder(tokenizer));
  }

  /// One batch of samples, starting with `first`; at most to the cell's last one.
  std::vector<WrittenSample> write(std::int64_t first) {
    constexpr std::int64_t kSamplesPerThread = 4;
    const auto threads = static_cast<std::int64_t>(encoders_.size());
    std::vector<WrittenSample> batch(static_cast<std::size_t>(
        std::min(cell_->request().samples - first, threads * kSamplesPerThread)));
    std::vector<std::future<void>> work;
    for (std::size_t thread = 0; thread < encoders_.size(); ++thread)
      work.push_back(std::async(std::launch::async, [&, thread] {
        for (std::size_t i = thread; i < batch.size(); i += encoders_.size())
          batch[i] = write_one(first + static_cast<std::int64_t>(i), encoders_[thread]);
      }));
    for (auto& part : work) part.get();
    return batch;
  }

 private:
  WrittenSample write_one(std::int64_t ordinal, models::PromptEncoder& encoder) const {
    stop_if_interrupted();
    const tasks::Sample sample = cell_->sample(ordinal);
    WrittenSample written{nlohmann::json(sample).dump(), sample.length};
    if (token_ids_) add_ids(written.line, encoder.encode_prompt(sample.prompt()));
    written.line += '\n';
    return written;
  }

  const tasks::Cell* cell_;
  bool token_ids_;
  std::vector<models::PromptEncoder> encoders_;  ///< one per thread
};

void write_samples(const GenerateArguments& arguments, const tasks::Cell& cell,
                   const models::Tokenizer& tokenizer) {
  std::optional<PendingFile> file;
  if (arguments.out != "-") file.emplace(arguments.out);
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  Writers writers(cell, tokenizer, arguments.token_ids);
  for (std::int64_t i = 0; i < arguments.samples;) {
    for (const WrittenSample& written : writers.write(i)) {
      shortest = std::min(shortest, written.length);
      file ? file->write(written.line) : write_stdout(written.line);
      ++i;
    }
  }
  if (file) file->commit();
  const std::string warning = short_cell_warning(cell.request(), arguments.protocol, shortest);
  if (!warning.empty()) print_warning(warning);
}

ExitCode run_generate(const GenerateArguments& arguments) {
  const auto length = parse_length(arguments.length);
  if (!length)
    throw UsageError(
        fmt::format("--length '{}': a length such as 4096 or 4K was expected", arguments.length));
  const auto tokenizer = models::open_tokenizer(arguments.tokenizer);
  const std::string task = tasks::our_task_name(arguments.task);
  const auto spec =
      protocol_spec(arguments.protocol, arguments.seed, haystack_of(arguments, task), tokenizer);
  const auto cells = tasks::make_cells(spec, {{task, *length, arguments.samples}});
  write_samples(arguments, *cells.front(), *tokenizer);
  return ExitCode::kOk;
}

}  // namespace

void add_generate_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* command =
      add_command(program, "generate", "Write samples as JSON lines, in any protocol",
                  "niah generate --protocol niah --task s2 --length 4K --samples 3 --seed 1 \\\n"
                  "    --tokenizer models/zoo/tokenizer --haystack kjv --out -");
  command
      ->add_option(
          "--protocol", arguments->protocol,
          "How samples are made: niah (ours), or to the byte as lm-eval or ruler make them")
      ->type_name("{niah|lm-eval|ruler}")
      ->capture_default_str();
  command
      ->add_option(
          "--task", arguments->task,
          "What is hidden: s1, s2, s3, multikey_1 to multikey_3, multivalue, multiquery; "
          "absent (nothing; of protocol niah alone); RULER's vt, cwe, fwe, which use no haystack; "
          "or as lm-eval calls them: niah_single_1")
      ->type_name("TASK")
      ->required();
  command
      ->add_option("--length", arguments->length,
                   "Tokens of a prompt with the room for its answer: 4096, 4K, ...")
      ->type_name(kLengthValue)
      ->required();
  add_integer(*command, "--samples", arguments->samples, kSampleCount, "How many samples to write");
  add_seed(*command, arguments->seed, "The same seed makes the same samples");
  command
      ->add_option("--tokenizer", arguments->tokenizer,
                   "Checkpoint folder or tokenizer file, whose tokens are counted")
      ->type_name(kPathValue)
      ->required();
  command
      ->add_option("--haystack", arguments->haystack,
                   "The text to hide it in: kjv, prose, a folder of .txt files, or a text file; "
                   "not needed for s1, multikey_2, multikey_3, vt, cwe, fwe, which make theirs")
      ->type_name(kHaystackValue);
  command->add_flag("--repeat", arguments->repeat,
                    "Start the text again where it is too short for the length");
  command->add_flag("--token-ids", arguments->token_ids,
                    "Add the prompt's ids (input, one space, gen_prefix) as input_ids");
  command->add_option("--out", arguments->out, "File to write, or - for standard output")
      ->type_name(kFileValue)
      ->capture_default_str();
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_generate(*arguments); }; });
}

}  // namespace niah
