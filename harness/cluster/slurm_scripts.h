// A sweep's shards as Slurm jobs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah {

/// What the jobs of one sweep are. Paths are absolute.
struct SlurmJob {
  std::string name;  ///< of the sweep
  std::filesystem::path program, config, out;
  std::vector<std::string> overrides;  ///< values of --set
  std::int64_t shards = 1;
  std::int64_t cpus = 1;
  std::int64_t gpus = 0;
  std::string memory, time;         ///< of a shard, as Slurm writes them: "16G", "04:00:00"
  std::filesystem::path scratch;    ///< of the nodes, with $VARIABLES of theirs; empty: none
  std::filesystem::path baseline;   ///< for the gate; empty: none
  std::vector<std::string> sbatch;  ///< more options: "partition=long"
};

/// Two batch scripts: docker/slurm/, filled in.
struct SlurmScripts {
  std::string shards, merge;
};

/// Throws UsageError for what cannot be written into such a script: a path with a quotation mark, a
/// line break, a backslash or a percent sign, or an option that is none.
SlurmScripts slurm_scripts(const SlurmJob& job);

/// Whether a script is as slurm_scripts() made it. Those of earlier versions cannot be told from
/// ones that were edited.
enum class ScriptState { kOwn, kEdited, kForeign };
ScriptState script_state(std::string_view text);

/// The two commands, for a shell, that submit scripts at these paths.
std::string submit_commands(const std::filesystem::path& shards,
                            const std::filesystem::path& merge);

/// What a task's price asks of Slurm, with something to spare: loading, and nodes that are slower.
std::string slurm_time(double seconds);
std::string slurm_memory(double bytes);

/// Throws UsageError where `text` is not a time or a memory size as sbatch takes it.
void require_slurm_time(std::string_view text);
void require_slurm_memory(std::string_view text);

}  // namespace niah
