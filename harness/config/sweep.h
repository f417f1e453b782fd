// A sweep: models x variants x tasks x lengths, read from YAML.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/config/overrides.h"
#include "harness/config/served.h"
#include "harness/config/yaml.h"
#include "models/checkpoint/checkpoint_path.h"
#include "models/surgery/restore_options.h"
#include "reports/record.h"
#include "tasks/haystack/sources.h"
#include "tasks/needle/own_needle.h"
#include "tasks/sample_file.h"

namespace niah {

/// Where a variant's weights come from.
enum class VariantKind {
  kBase,        ///< the checkpoint before the fine-tune
  kSft,         ///< after it
  kRestored,    ///< after it, with projections put back
  kCheckpoint,  ///< another checkpoint of the same architecture
  kServed,      ///< whatever weights a server has
};

/// One variant of a model: a checkpoint, a restoration or a served model.
struct VariantConfig {
  std::string name;
  VariantKind kind = VariantKind::kBase;
  models::RestoreOptions restore;
  std::string restore_place;  ///< of a restoration: like ModelConfig::base_place
  models::CheckpointPath checkpoint;
  std::string checkpoint_place;        ///< like ModelConfig::base_place
  std::optional<ServedConfig> served;  ///< set for kServed, and only then
  /// kServed: the variant of this model with the same checkpoint as the server; empty: not given.
  std::string same_as;
  // For reports. What the file does not say is filled in from the kind, never from the name.
  reports::Role role = reports::Role::kBase;
  std::string label, description;
  /// Of a restoration: the variants of this model that the restored weights and all other weights
  /// come from; empty if the sweep has no such variant.
  std::string restored_from, fine_tune;
};

/// One model: its checkpoints and the variants to run.
struct ModelConfig {
  std::string name;
  /// sft may be empty; base is empty if every variant is served.
  models::CheckpointPath base, sft;
  /// Where the file names them, for errors: "sweep.yaml:9:11: models[0].base"; may be empty.
  std::string base_place, sft_place, tokenizer_place;
  std::filesystem::path tokenizer;  ///< as the model's own key gives it; may be empty
  nlohmann::json override;          ///< fields of config.json to replace: an object, or null
  std::vector<VariantConfig> variants;
};

/// Where a config names its files and folders, for errors: "sweep.yaml:9:11: haystack.path".
using Places = std::map<std::filesystem::path, std::string>;

/// Samples per cell: one number, one per length, or one per task and length; or a maximum with
/// half_width, where a cell ends early.
struct SampleCounts {
  std::int64_t otherwise = 0;
  std::map<std::int64_t, std::int64_t> by_length;
  /// Of tasks that have counts of their own: those of all their lengths.
  std::map<std::string, std::map<std::int64_t, std::int64_t>> by_task;
  /// A cell ends early when Wilson's 95 % interval of every variant is at most twice this wide; 0:
  /// never. Samples are asked in order, so a cell that ended early has the first ones.
  double half_width = 0;
  /// The number for a cell, where there is one by task or length.
  std::optional<std::int64_t> find(const std::string& task, std::int64_t length) const;
  /// The number, or the maximum, for a cell.
  std::int64_t at(const std::string& task, std::int64_t length) const;
};

/// How questions are put to the model.
struct PromptConfig {
  std::string format = "raw";  ///< raw (as in the paper), chatml, custom
  std::string system;          ///< chatml: the system turn; empty: none
  std::string prefix, suffix;  ///< custom: the text before and after the question
  bool answer_prefix = true;   ///< the model is given the start of its answer
  bool bos = true;             ///< keep what the tokenizer puts in front of a prompt
};

/// How many tokens the model may generate.
struct GenerationConfig {
  /// Of the answer. Beyond tasks::kGenerationTokens, which every length has room for, they are
  /// taken off the prompt.
  std::int64_t max_new_tokens = 128;
  std::int64_t max_thinking_tokens = 0;  ///< of the thought before it, in addition
  bool stop_when_decided = true;
};

/// One set of reasoning problems.
struct ReasoningConfig {
  std::string kind = "word-problems";  ///< see tasks::reasoning_kinds
  std::filesystem::path path;          ///< the user's file; empty for word-problems
  std::int64_t samples = 100;          ///< the first so many; 0: all
  std::int64_t max_new_tokens = 170;
};

/// How a sweep is computed; none of it changes what is asked.
struct RuntimeConfig {
  std::string device = "auto";     ///< auto, cpu, cuda, cuda:N
  std::string dtype = "auto";      ///< auto, fp32, bf16
  std::int64_t threads = 0;        ///< 0: all cores
  std::int64_t prefill_chunk = 0;  ///< tokens; 0: chosen by the device
  bool share_prefixes = true;
  std::int64_t mark_memory = std::int64_t{1} << 30;  ///< bytes of one worker's snapshots
  std::int64_t memory = 0;  ///< bytes that may be used in all; 0: what the machine has
};

/// A whole sweep, with defaults filled in.
struct SweepConfig {
  std::string name;
  std::string title;
  /// Files to read samples from. If there are any, protocol, haystack, tasks, lengths and seed are
  /// those of the files, and `samples.otherwise` is the maximum per cell (0: all).
  std::vector<tasks::SampleFile> sample_files;
  std::string protocol = "niah";
  tasks::HaystackSpec haystack;
  std::vector<tasks::OwnNeedle> needles;  ///< more tasks, by their names
  std::vector<std::string> tasks;
  std::vector<std::int64_t> lengths;  ///< ascending
  /// Percent, ascending, of the needles asked for; empty: those of the protocol.
  std::vector<double> depths;
  SampleCounts samples;
  std::uint64_t seed = 0;
  std::vector<ModelConfig> models;
  std::filesystem::path tokenizer;
  GenerationConfig generation;
  PromptConfig prompt;
  std::vector<ReasoningConfig> reasoning;
  RuntimeConfig runtime;
  bool published = false;  ///< show the paper's figures beside ours
  std::vector<std::string> caveats;
  Places places;  ///< of all but checkpoints
};

/// Whether some variant is computed on this machine.
bool has_local_variant(const ModelConfig& model);
bool has_local_variant(const SweepConfig& sweep);
/// Whether some variant is served.
bool has_served_variant(const SweepConfig& sweep);

/// Replaces labels and descriptions that come from the file by plain ones: for checkpoints other
/// than those that they were written for.
void describe_plainly(ModelConfig& model);

/// A restoration in words: "qk", "qk-pro lambda 0.1", "qk alpha 0.5 layers 2,3".
std::string restore_text(const models::RestoreOptions& options);

/// Reads a sweep. Relative paths of checkpoints, texts and tokenizers are resolved against `base`.
/// Throws UsageError with file:line:column for anything unknown, ill-typed or contradictory,
/// ListedUsageError for several such things.
SweepConfig parse_sweep(const std::string& yaml, const std::string& file,
                        const std::filesystem::path& base, const Overrides& overrides);
/// Reads the sweep in a file, with paths relative to the file's folder. Throws DataError, too.
SweepConfig read_sweep(const std::filesystem::path& path, const Overrides& overrides);

/// One sweep of a config, and what its haystack is called where the config has several.
struct NamedSweep {
  std::string haystack;
  SweepConfig sweep;
};

/// The sweeps of a config: the one that read_sweep reads, or with `haystacks` one for each of them,
/// which is the same as with that alone as `haystack`, but for its name. Throws as read_sweep.
std::vector<NamedSweep> read_sweeps(const std::filesystem::path& path, const Overrides& overrides);

/// The resolved config as JSON text, for plan.json. parse_sweep reads it back as the same sweep,
/// except for what only reports show.
std::string sweep_to_json(const SweepConfig& sweep);

}  // namespace niah
