#include "harness/cluster/slurm_scripts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <regex>

#include "harness/base/error.h"
#include "harness/base/sha256.h"
#include "harness/base/shell.h"
#include "harness/base/text.h"
#include "harness/embedded_configs.h"

namespace niah {
namespace {

/// The part of a template that is the same for every sweep, its first line included.
std::string_view body_of(std::string_view script) {
  const std::size_t line = script.find("\n# -----");
  check(line != std::string_view::npos, "a template says where its head ends");
  return script.substr(line + 1);
}

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// For a line that sbatch reads, too, which knows quotation marks and fills in what % stands for.
std::string plain(const std::filesystem::path& path, std::string_view option) {
  std::string text = path.string();
  const bool is_plain = std::none_of(text.begin(), text.end(), [](char c) {
    return std::iscntrl(static_cast<unsigned char>(c)) != 0 || c == '"' || c == '\'' || c == '\\' ||
           c == '%';
  });
  if (is_plain) return text;
  throw UsageError(fmt::format(
      "writing Slurm scripts: {} is '{}'; a path without quotation marks, line breaks, backslashes "
      "and percent signs was expected: sbatch gives them a meaning of its own",
      option, single_line(text)));
}

/// A word for the shell in which variables such as $TMPDIR or ${TMPDIR} stand for what they are on
/// the node. A task ends, naming it, where one is not set.
std::string quoted_on_node(const std::string& text) {
  static const std::regex kVariable(R"(\$(\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)))");
  std::string word;
  auto rest = text.cbegin();
  std::smatch match;
  for (; std::regex_search(rest, text.cend(), match, kVariable); rest = match[0].second) {
    if (match[0].first != rest) word += shell_quoted(std::string(rest, match[0].first));
    word += fmt::format("\"${{{}:?of --scratch is not set on this node}}\"",
                        match[2].matched ? match[2].str() : match[3].str());
  }
  if (rest != text.cend()) word += shell_quoted(std::string(rest, text.cend()));
  return word;
}

constexpr std::string_view kWrittenBy = "\n# Written by `niah slurm`";
constexpr std::string_view kSum = "# Not edited since then if the SHA-256 of all lines above is ";

std::string with_sum(const std::string& script) {
  return script + fmt::format("{}{}\n", kSum, sha256_hex(script));
}

std::string job_name(std::string_view name) {
  std::string plain_name(name);
  std::replace_if(
      plain_name.begin(), plain_name.end(),
      [](char c) { return !is_letter(c) && !is_digit(c) && c != '.' && c != '_'; }, '-');
  return "niah-" + plain_name;
}

void require_option(const std::string& option) {
  const std::string_view name = std::string_view(option).substr(0, option.find('='));
  const bool is_name = !name.empty() && is_letter(name.front()) &&
                       std::all_of(name.begin(), name.end(),
                                   [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
  const bool is_line = std::none_of(option.begin(), option.end(), [](char c) {
    return std::iscntrl(static_cast<unsigned char>(c)) != 0;
  });
  if (!is_name || !is_line)
    throw UsageError(
        fmt::format("--sbatch '{}': an option of sbatch without its dashes was expected, such as "
                    "partition=long",
                    single_line(option)));
}

/// The lines that sbatch reads, of either script.
std::string options_of(const std::vector<std::string>& own, const std::vector<std::string>& more) {
  std::string lines;
  for (const auto* list : {&own, &more})
    for (const std::string& option : *list) lines += fmt::format("#SBATCH --{}\n", option);
  return lines;
}

/// The options of the site, but for the array's, such as how many tasks run at once: the merge is
/// one task.
std::vector<std::string> without_array(std::vector<std::string> options) {
  std::erase_if(options, [](std::string_view option) {
    return option.substr(0, option.find('=')) == "array";
  });
  return options;
}

std::string shards_script(const SlurmJob& job, const std::string& out) {
  std::vector<std::string> options = {"job-name=" + job_name(job.name),
                                      fmt::format("array=1-{}", job.shards),
                                      fmt::format("cpus-per-task={}", job.cpus),
                                      "mem=" + job.memory,
                                      "time=" + job.time,
                                      fmt::format("output=\"{}/logs/%A_%a.log\"", out),
                                      "open-mode=append",
                                      "requeue",
                                      "signal=B:TERM@60"};
  if (job.gpus > 0) options.push_back(fmt::format("gres=gpu:{}", job.gpus));
  std::string more;
  for (const std::string& override_text : job.overrides)
    more += fmt::format("--set {} ", shell_quoted(override_text));
  return fmt::format(
      "#!/usr/bin/env bash\n"
      "# Written by `niah slurm`: the shards of a sweep, each a task of a job array. A task goes "
      "on\n"
      "# from its journal when it is queued again.\n"
      "{}niah={}\nconfig={}\nmore=({}--set \"runtime.threads=$SLURM_CPUS_PER_TASK\")\nshards={}\n"
      "out={}\nscratch={}\n{}",
      options_of(options, job.sbatch), shell_quoted(job.program.string()),
      shell_quoted(job.config.string()), more, job.shards, shell_quoted(out),
      quoted_on_node(job.scratch.string()), body_of(kSlurmShards));
}

std::string merge_script(const SlurmJob& job, const std::string& out) {
  return fmt::format(
      "#!/usr/bin/env bash\n"
      "# Written by `niah slurm`: puts the shards together, draws the report{}.\n"
      "{}niah={}\nout={}\nbaseline={}\n{}",
      job.baseline.empty() ? "" : ", and compares it with a baseline",
      options_of({"job-name=" + job_name(job.name) + "-merge", "cpus-per-task=1", "mem=4G",
                  "time=01:00:00", fmt::format("output=\"{}/logs/merge-%j.log\"", out)},
                 without_array(job.sbatch)),
      shell_quoted(job.program.string()), shell_quoted(out),
      job.baseline.empty() ? "" : shell_quoted(job.baseline.string()), body_of(kSlurmMerge));
}

}  // namespace

SlurmScripts slurm_scripts(const SlurmJob& job) {
  for (const std::string& option : job.sbatch) require_option(option);
  const std::string out = plain(job.out, "--out");
  return {with_sum(shards_script(job, out)), with_sum(merge_script(job, out))};
}

ScriptState script_state(std::string_view text) {
  if (text.find(kWrittenBy) == text.npos) return ScriptState::kForeign;
  const std::size_t last = text.rfind(kSum);
  if (last == text.npos) return ScriptState::kOwn;
  return text == with_sum(std::string(text.substr(0, last))) ? ScriptState::kOwn
                                                             : ScriptState::kEdited;
}

std::string submit_commands(const std::filesystem::path& shards,
                            const std::filesystem::path& merge) {
  return fmt::format("job=$(sbatch --parsable {})\nsbatch --dependency=afterany:\"$job\" {}\n",
                     shell_quoted(shards.string()), shell_quoted(merge.string()));
}

std::string slurm_time(double seconds) {
  constexpr double kSlower = 1.5, kStart = 600, kStep = 300;
  const auto total =
      static_cast<std::int64_t>(kStep * std::ceil((kSlower * seconds + kStart) / kStep));
  const std::int64_t days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60;
  const std::string day = days > 0 ? fmt::format("{}-", days) : "";
  return fmt::format("{}{:02}:{:02}:00", day, hours, minutes);
}

std::string slurm_memory(double bytes) {
  constexpr double kSpare = 1.25, kMebibyte = 1 << 20, kStep = 256;
  return fmt::format(
      "{}M", static_cast<std::int64_t>(kStep * std::ceil(kSpare * bytes / kMebibyte / kStep)));
}

void require_slurm_time(std::string_view text) {
  static const std::regex kTime(R"((\d{1,5}-)?\d{1,6}(:\d{1,2}){0,2})");
  if (!std::regex_match(text.begin(), text.end(), kTime))
    throw UsageError(fmt::format(
        "--time '{}': a time as sbatch takes it was expected, such as 04:00:00 or 1-12:00:00",
        valid_utf8(text)));
}

void require_slurm_memory(std::string_view text) {
  const std::string_view number = text.substr(0, text.find_first_not_of("0123456789"));
  const std::string_view unit = text.substr(number.size());
  const bool is_unit = unit.empty() || (unit.size() == 1 && unit.find_first_of("KMGT") == 0);
  constexpr std::size_t kMostDigits = 12;
  if (number.empty() || number.size() > kMostDigits || !is_unit)
    throw UsageError(
        fmt::format("--mem '{}': a size as sbatch takes it was expected, such as 16G or 900M",
                    valid_utf8(text)));
}

}  // namespace niah
