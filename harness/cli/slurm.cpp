// niah slurm: a sweep's shards as Slurm jobs.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "harness/base/files.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/progress.h"
#include "harness/base/shipped_data.h"
#include "harness/base/units.h"
#include "harness/cli/command.h"
#include "harness/cli/run_with_engines.h"
#include "harness/cluster/slurm_scripts.h"
#include "harness/config/sweep.h"
#include "harness/plan/sharding.h"
#include "reports/format.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShardsScript = "shards.sbatch";
constexpr const char* kMergeScript = "merge.sbatch";

struct SlurmArguments {
  std::string config, out, niah, baseline, scratch;
  SlurmJob job;
};

/// Relative to the folder that the command is run in; no link is followed.
fs::path absolute(const std::string& path) {
  return path.empty() ? fs::path() : fs::absolute(path).lexically_normal();
}

/// Samples of all shards and how many shards have some.
struct Shares {
  std::int64_t samples = 0;
  std::int64_t shards = 0;
};

Shares shares_of(const SweepConfig& sweep, std::int64_t shards) {
  Shares shares;
  for (const reports::ShardPart& part : share_out(WorkList(sweep), shards)) {
    shares.samples += std::ssize(part.indexes);
    shares.shards = part.shard;  // they come in order
  }
  return shares;
}

/// Fills in the time and the memory that were not given.
void fill_in_needs(SlurmJob& job, const SweepConfig& sweep) {
  if (!job.time.empty()) require_slurm_time(job.time);
  if (!job.memory.empty()) require_slurm_memory(job.memory);
  const bool lacks_time = job.time.empty(), lacks_memory = job.memory.empty();
  if (!lacks_time && !lacks_memory) return;
  if (lacks_memory && job.gpus > 0)
    throw UsageError(
        "--mem: the memory that a shard takes beside its GPUs is not estimated; give it, such as "
        "--mem 32G");
  const std::optional<ShardNeeds> needs = shard_needs(sweep, job.shards);
  if (!needs)
    throw UsageError(fmt::format(
        "{}: what a shard takes is not known here (that needs libtorch, and models that are run "
        "here and not served); give --time, such as 04:00:00, and --mem, such as 16G",
        lacks_time ? "--time" : "--mem"));
  if (lacks_time) job.time = slurm_time(needs->seconds);
  if (lacks_memory) job.memory = slurm_memory(needs->bytes);
  say("The dearest shard takes up to {} and {} on this machine; {} and {} are asked for.\n",
      format_duration(needs->seconds), format_bytes(needs->bytes), job.time, job.memory);
}

/// Throws UsageError unless the script is as this command wrote it, or not there.
void require_own_script(const fs::path& script) {
  if (!is_there(script)) return;
  const std::string text = read_file(script, "writing Slurm scripts");
  const ScriptState state = script_state(text);
  if (state != ScriptState::kOwn)
    throw UsageError(
        fmt::format("writing Slurm scripts: {} is there, and {}; a new --out, or that file out of "
                    "the way, was expected",
                    script.string(),
                    state == ScriptState::kEdited ? "was edited since `niah slurm` wrote it"
                                                  : "`niah slurm` did not write it"));
}

ExitCode run_slurm(SlurmArguments arguments) {
  SlurmJob& job = arguments.job;
  const SweepConfig sweep = read_sweep(arguments.config, parse_overrides(job.overrides));
  require_shardable(sweep);
  job.name = sweep.name;
  job.config = absolute(arguments.config);
  job.out = absolute(arguments.out);
  job.baseline = absolute(arguments.baseline);
  job.scratch = arguments.scratch;
  job.program =
      arguments.niah.empty() ? data_places().program_folder / "niah" : absolute(arguments.niah);
  if (job.cpus == 0) job.cpus = sweep.runtime.threads;
  if (job.cpus == 0) job.cpus = std::max(1U, std::thread::hardware_concurrency());
  if (job.gpus == 0 && sweep.runtime.device.starts_with("cuda")) job.gpus = 1;
  (void)slurm_scripts(job);  // what cannot be written is refused before it is priced
  const Shares shares = shares_of(sweep, job.shards);
  if (shares.shards < job.shards)
    print_warning(fmt::format("only {} of {} shards {} a sample; the others end at once",
                              shares.shards, job.shards, shares.shards == 1 ? "has" : "have"));
  fill_in_needs(job, sweep);

  const SlurmScripts scripts = slurm_scripts(job);
  require_own_folder(job.out, {kShardsScript}, "writing Slurm scripts", {});
  for (const char* script : {kShardsScript, kMergeScript}) require_own_script(job.out / script);
  ensure_writable_folder(job.out);
  ensure_writable_folder(job.out / "logs");
  write_file(job.out / kMergeScript, scripts.merge);
  write_file(job.out / kShardsScript, scripts.shards);
  say("{} in {}. Nothing has been submitted; these two commands do it:\n",
      reports::counted(shares.samples, "sample"), reports::counted(job.shards, "shard"));
  write_stdout(submit_commands(job.out / kShardsScript, job.out / kMergeScript));
  return ExitCode::kOk;
}

}  // namespace

void add_slurm_command(CLI::App& program, Command& chosen) {
  const auto arguments = std::make_shared<SlurmArguments>();
  SlurmJob& job = arguments->job;
  job.cpus = 0;
  CLI::App* command = add_command(
      program, "slurm", "Write the batch scripts that run a sweep's shards on a Slurm cluster",
      "niah slurm sweep.yaml --shards 8 --out runs/sweep\n"
      "  niah slurm sweep.yaml --shards 8 --out runs/sweep --time 04:00:00 --mem 16G | sh");
  command->add_option("config", arguments->config, "The sweep (YAML)")
      ->type_name(kFileValue)
      ->required();
  add_integer(*command, "--shards", job.shards, {1, reports::kMostShards},
              "Tasks of the job array, each of which asks one shard")
      ->required();
  command
      ->add_option("--out", arguments->out,
                   "Folder of the scripts, the shards, and what they are merged into (merged); on "
                   "a disk that all nodes see")
      ->type_name(kFolderValue)
      ->required();
  add_repeated(*command, "--set", job.overrides, "Change a key: --set samples=20");
  command
      ->add_option("--time", job.time,
                   "A shard's time limit, such as 04:00:00 (default: from its price); a shard that "
                   "needs longer goes on in another turn")
      ->type_name("TIME");
  command->add_option("--mem", job.memory, "A shard's memory, such as 16G (default: its price)")
      ->type_name("SIZE");
  add_integer(*command, "--cpus", job.cpus, kNotNegative,
              "Cores of a shard (0: runtime.threads, or as many as here)");
  add_integer(*command, "--gpus", job.gpus, kNotNegative,
              "GPUs of a shard (0: one where runtime.device is cuda)");
  command
      ->add_option(
          "--scratch", arguments->scratch,
          "A folder of the nodes' own disks to work in, such as '$TMPDIR', which is filled "
          "in there; copied to --out at the end")
      ->type_name(kFolderValue);
  command
      ->add_option("--baseline", arguments->baseline,
                   "After the merge, `niah regress` against these results")
      ->type_name(kPathValue);
  add_repeated(*command, "--sbatch", job.sbatch,
               "One more option of sbatch: --sbatch partition=long");
  command
      ->add_option("--niah", arguments->niah,
                   "The program on the nodes (default: the one that runs)")
      ->type_name(kFileValue);
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_slurm(*arguments); }; });
}

}  // namespace niah
