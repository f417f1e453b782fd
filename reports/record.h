// One line of the journal: what happened to one sample on one variant. Every figure in every report
// is a function of records and of the run's description.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace niah::reports {

/// One sample's outcome. Under 2 KB as JSON: it has no prompt text, and its writer limits the
/// generated text.
struct Record {
  std::string kind = "recall";  ///< "recall" (a needle) or "reasoning" (a word problem)
  std::string variant;      ///< fingerprint: weights, tokenizer, decode settings, program version
  std::string protocol;     ///< "niah", "lm-eval", "ruler"; empty for reasoning
  std::string task;         ///< "s1", "s2", "s3", or the reasoning set's name
  std::int64_t length = 0;  ///< nominal length; 0 for reasoning
  std::int64_t index = 0;
  double depth = 0;  ///< requested depth, percent
  double real_depth = 0;
  std::int64_t prompt_tokens = 0;  ///< tokens the model read
  std::int64_t real_length = 0;    ///< as the protocol counts it, including the room for the answer
  std::string prompt_sha256;
  /// "scored", or why not: "oom", "not_finite"; of a server "failed" (retries used up), "cut" (it
  /// read fewer tokens than the prompt has, or had no room for the answer), "refused".
  std::string outcome = "scored";
  std::string detail;                      ///< one line on an outcome other than "scored"
  double score = 0;                        ///< 0..1; meaningless unless scored
  std::string miss = "hit";                ///< tasks::miss_class_name
  std::vector<std::string> expected;       ///< the answers that had to be found
  std::string text;                        ///< the beginning of the generated text
  std::vector<std::int64_t> ids;           ///< the first generated token ids
  std::optional<double> value_log_prob;    ///< natural log, sum over the expected answer's tokens
  std::optional<std::int64_t> value_rank;  ///< worst rank of an answer token, 1 = always first
  std::int64_t computed_tokens = 0;        ///< prompt and answer tokens computed for this record
  double seconds = 0;                      ///< wall time spent on it; not part of any comparison
  /// Whether a server that was asked the same again at once gave the same answer; nullopt if it was
  /// not.
  std::optional<bool> same_again{};
  std::string again_failed{};  ///< why that second request got no answer; empty: it got one
  std::string answered_by{};   ///< the model, as a server named it in its answer; empty: not told

  bool scored() const { return outcome == "scored"; }
};

/// The most bytes of a generated text that a record keeps; a longer text is cut and ends in "...".
inline constexpr std::size_t kMostTextBytes = 700;

/// Whether a sample with this outcome is asked again when the run continues, since a later try may
/// succeed.
bool is_asked_again(std::string_view outcome);

/// Invalid UTF-8 is replaced by U+FFFD; a log-probability that is not finite is left out.
void to_json(nlohmann::json& json, const Record& record);
/// Throws DataError naming the field that is missing, unknown, ill-typed or out of range.
void from_json(const nlohmann::json& json, Record& record);

/// A variant's role in the comparison. It comes from the config and is never guessed from a name.
enum class Role {
  kBase,      ///< the model before the fine-tune
  kTuned,     ///< the fine-tune that the run is about
  kControl,   ///< another checkpoint, for comparison
  kRestored,  ///< the fine-tune with some weights put back
};

/// "base", "tuned", "control", "restored".
const char* role_name(Role role);
/// The role with this name, or nullopt.
std::optional<Role> parse_role(std::string_view name);

/// A variant as described in reports.
struct VariantInfo {
  std::string fingerprint;  ///< the value of Record::variant
  std::string model;        ///< the pair's name in the config
  std::string name;         ///< "base", "sft", "qk", "qk-pro", "direct-sft", ...
  std::string description;  ///< "QK-Restore: W_Q and W_K of the softmax layers from base"
  Role role = Role::kControl;
  /// The name for display. If empty, label_of() takes it from the description, or else the name.
  std::string label{};
  /// Of a restoration: the names of the model's variants that weights were taken from and put back
  /// into; empty if the run does not have that variant.
  std::string restored_from{}, fine_tune{};
  std::string method{};  ///< of a restoration: "qk", "qk-pro lambda 0.1"; empty if unknown
  /// The server of a served variant: "vllm 0.32.0 at http://localhost:8000/v1, model m,
  /// completions". Empty for a variant that is computed locally.
  std::string server{};
  /// Of a served variant: the name of the model's variant whose checkpoint it serves; empty if the
  /// config does not say.
  std::string same_as{};
  /// Of a checkpoint that was read as it is: the hash of its weights, as `niah info` computes it.
  /// Empty for a restoration, a served variant, and in runs of earlier versions.
  std::string weights_sha256{};
};

/// The planned samples of every variant in one cell.
struct PlannedCell {
  std::string kind = "recall";  ///< as in records
  std::string task;
  std::int64_t length = 0;
  std::int64_t samples = 0;
  bool may_end_early = false;  ///< adaptive sampling: `samples` is the maximum
  /// The samples' indexes, ascending, in a cell of `samples_from`. Empty in all others, where they
  /// are 0 .. samples-1, and in descriptions of earlier versions.
  std::vector<std::int64_t> indexes{};
  bool operator==(const PlannedCell&) const = default;
};

/// The samples of one cell that one shard asks.
struct ShardPart {
  std::int64_t shard = 1;       ///< counted from 1
  std::string kind = "recall";  ///< as in records
  std::string task;
  std::int64_t length = 0;
  std::vector<std::int64_t> indexes;
  bool operator==(const ShardPart&) const = default;
};

/// The most shards of a sweep.
inline constexpr std::int64_t kMostShards = 100'000;

/// The part of a sweep that a run covers, such as 2 of 3. Numbered from 1.
struct Shard {
  std::int64_t number = 1;
  std::int64_t of = 1;
  /// Of all shards of the sweep. Empty in descriptions of earlier versions, whose shard asked the
  /// samples with index % of == number - 1.
  std::vector<ShardPart> parts{};
  bool operator==(const Shard&) const = default;
};

/// Published figures to show next to ours, in percent; nullopt where unknown.
struct PublishedFigure {
  std::string model;
  std::string cell;  ///< "S2@256K", "MATH500"
  std::optional<double> base, sft, qk;
  std::string source;
};

/// How the gradient of W_Q and W_K depended on the distance between query and key during a
/// fine-tune. Entry tau of each list is for a distance of tau tokens. Stored as kLocalityFile in
/// the checkpoint's folder.
struct GradientCurve {
  std::string variant;  ///< the label for display
  std::vector<std::int64_t> pairs;
  std::vector<double> query, key;
  std::optional<double> decay_query, decay_key;  ///< W of C exp(-tau / W), tokens
};
/// The file in a checkpoint's folder that holds its GradientCurve.
inline constexpr const char* kLocalityFile = "gradient_locality.json";

/// Throws DataError naming the field that is missing or ill-typed.
void from_json(const nlohmann::json& json, GradientCurve& curve);

/// The run's description: the fields of plan.json that reports need.
struct RunInfo {
  std::string name;
  std::string title;  ///< one line describing the run
  std::string program_version;
  std::string protocol;
  std::uint64_t seed = 0;
  std::vector<std::string> tasks;     ///< in the order to show
  std::vector<std::int64_t> lengths;  ///< ascending
  std::vector<VariantInfo> variants;  ///< in the order to show; the first is the reference
  std::string haystack;               ///< name and hash
  std::string tokenizer;              ///< name and hash
  /// Hashes of the tokenizer's files, and of the tables that determine its ids: saving the same
  /// tokenizer again can change the bytes. Empty in descriptions of earlier versions.
  std::string tokenizer_sha256, tokenizer_tables_sha256;
  std::vector<std::string> reasoning;  ///< name and hash of each reasoning set
  std::string machine;                 ///< processor, cores, dtype, threads
  /// The settings that can change the last bits of results, by name (kArithmeticNames). Empty, or
  /// without some names, in descriptions of earlier versions.
  std::map<std::string, std::string> arithmetic;
  std::vector<PlannedCell> planned;  ///< empty in descriptions of earlier versions
  std::optional<Shard> shard;        ///< nullopt: the whole sweep, or unknown
  /// The run folders that the records were merged from; empty for a run that was not merged.
  std::vector<std::string> merged_from;
  std::vector<std::string> caveats;  ///< shown in full at the top of the report
  std::vector<PublishedFigure> published;
  std::vector<GradientCurve> gradients;  ///< of its fine-tunes, if known
  std::string started, finished;         ///< ISO 8601 UTC; not part of any comparison
  std::string config_json;               ///< resolved config, as JSON text
  /// Of a merge: the configs of its runs that differ from `config_json`.
  std::vector<std::string> other_configs{};
};

/// Names in RunInfo::arithmetic, in display order. Other names are kept and compared as well.
inline constexpr std::array<std::string_view, 5> kArithmeticNames = {
    "device", "dtype", "prefill_chunk", "processor", "cpu_capability"};

/// Whether both runs' tokenizers are known to produce the same ids.
bool is_same_tokenizer(const RunInfo& first, const RunInfo& second);

/// A list "A and B" extended by the members of `more` that it lacks.
std::string with_also(const std::string& list, const std::string& more);

/// One entry of RunInfo::arithmetic in which two runs differ.
struct ArithmeticDifference {
  std::string name;  ///< "dtype"; "machine" if a run only has RunInfo::machine
  std::string first;
  std::string second;

  /// Whether the two runs' records must not share a journal. True for device, dtype and
  /// prefill_chunk; another processor, for example, changes at most the last bits.
  bool separates() const;
  /// "dtype (fp32 against bf16)".
  std::string words() const;
};

/// Every entry that both runs have with different values. If one of them has no entries, as in
/// earlier versions, `machine` is compared instead.
std::vector<ArithmeticDifference> arithmetic_differences(const RunInfo& first,
                                                         const RunInfo& second);

void to_json(nlohmann::json& json, const RunInfo& info);
/// Throws DataError naming the missing or ill-typed field. Unknown fields are ignored: plan.json
/// has other readers.
void from_json(const nlohmann::json& json, RunInfo& info);

}  // namespace niah::reports
