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

/// One sample's outcome. Under 2 KB as JSON: no prompt text; generated text is bounded by its
/// writer.
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
  std::int64_t real_length = 0;    ///< as the protocol counts it, answer room included
  std::string prompt_sha256;
  /// "scored", or why not: "oom", "not_finite"; of a server "failed" (retries used up), "cut" (it
  /// read fewer tokens than the prompt has), "refused".
  std::string outcome = "scored";
  std::string detail;                      ///< one line for an outcome that is not "scored"
  double score = 0;                        ///< 0..1; meaningless unless scored
  std::string miss = "hit";                ///< tasks::miss_class_name
  std::vector<std::string> expected;       ///< the answers that had to be found
  std::string text;                        ///< generated text, its beginning
  std::vector<std::int64_t> ids;           ///< generated token ids, the first of them
  std::optional<double> value_log_prob;    ///< natural log, sum over the expected answer's tokens
  std::optional<std::int64_t> value_rank;  ///< worst rank of an answer token, 1 = always first
  std::int64_t computed_tokens = 0;  ///< prompt and answer tokens that were run for this record
  double seconds = 0;                ///< wall time spent on it; not part of any comparison
  /// Whether a server that was asked the same at once again said the same; nullopt: it was not.
  std::optional<bool> same_again{};
  std::string answered_by{};  ///< the model, as a server named it in its answer; empty: not told

  bool scored() const { return outcome == "scored"; }
};

/// Bytes of a generated text that a record keeps; a longer one ends in "..." there.
inline constexpr std::size_t kMostTextBytes = 700;

/// Whether a later run may do better than this outcome, so that its sample is asked again.
bool is_asked_again(std::string_view outcome);

/// Text that is not UTF-8 gets U+FFFD in place of the wrong bytes; a log-probability that is not
/// finite is left out.
void to_json(nlohmann::json& json, const Record& record);
/// Throws DataError naming the field that is missing, unknown, ill-typed or out of range.
void from_json(const nlohmann::json& json, Record& record);

/// A variant's part in the comparison. The config says it; a name says nothing.
enum class Role {
  kBase,      ///< the model before the fine-tune
  kTuned,     ///< the fine-tune that the run is about
  kControl,   ///< another checkpoint to compare with
  kRestored,  ///< the fine-tune with some weights put back
};

/// "base", "tuned", "control", "restored".
const char* role_name(Role role);
/// The role of that name, or nullopt.
std::optional<Role> parse_role(std::string_view name);

/// A variant as reports show it.
struct VariantInfo {
  std::string fingerprint;  ///< what records carry
  std::string model;        ///< the pair's name in the config
  std::string name;         ///< "base", "sft", "qk", "qk-pro", "direct-sft", ...
  std::string description;  ///< "QK-Restore: W_Q and W_K of the softmax layers from base"
  Role role = Role::kControl;
  /// What people read. Empty: what the description has before its first ": ", or else the name.
  std::string label{};
  /// Of a restoration: the names of the model's variants that weights were taken from and that they
  /// were put back into; empty where the run does not have that variant.
  std::string restored_from{}, fine_tune{};
  std::string method{};  ///< of a restoration: "qk", "qk-pro lambda 0.1"; empty where not known
  /// Who answers for it: "vllm 0.32.0 at http://localhost:8000/v1, model m, completions". Empty: it
  /// is run here.
  std::string server{};
  /// Of a served variant: the name of the model's variant whose checkpoint it serves, as the config
  /// says; empty where it does not.
  std::string same_as{};
};

/// What a run's plan asks of every variant in one cell.
struct PlannedCell {
  std::string kind = "recall";  ///< as in records
  std::string task;
  std::int64_t length = 0;
  std::int64_t samples = 0;
  bool may_end_early = false;  ///< adaptive sampling: `samples` is the most
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

/// Which part of a sweep a run is: 2 of 3. Counted from 1.
struct Shard {
  std::int64_t number = 1;
  std::int64_t of = 1;
  /// Of all shards of the sweep. Empty in descriptions of earlier versions, whose shard asked the
  /// samples with index % of == number - 1.
  std::vector<ShardPart> parts{};
  bool operator==(const Shard&) const = default;
};

/// A published figure to show beside ours. Percent; empty where none is known.
struct PublishedFigure {
  std::string model;
  std::string cell;  ///< "S2@256K", "MATH500"
  std::optional<double> base, sft, qk;
  std::string source;
};

/// How the gradient of W_Q and W_K fell with the distance between query and key during a fine-tune;
/// entry tau of `query` and `key` is for distance tau. The file of that name beside a checkpoint
/// holds one.
struct GradientCurve {
  std::string variant;  ///< the name that people read
  std::vector<std::int64_t> pairs;
  std::vector<double> query, key;
  std::optional<double> decay_query, decay_key;  ///< W of C exp(-tau / W), tokens
};
inline constexpr const char* kLocalityFile = "gradient_locality.json";

/// Takes what such a file holds. Throws DataError naming the field that is missing or ill-typed.
void from_json(const nlohmann::json& json, GradientCurve& curve);

/// The run's description (plan.json): what reports show of it.
struct RunInfo {
  std::string name;
  std::string title;  ///< one line on what this run is
  std::string program_version;
  std::string protocol;
  std::uint64_t seed = 0;
  std::vector<std::string> tasks;     ///< in the order to show
  std::vector<std::int64_t> lengths;  ///< ascending
  std::vector<VariantInfo> variants;  ///< in the order to show; the first is the reference
  std::string haystack;               ///< name and hash
  std::string tokenizer;              ///< name and hash
  /// Of the tokenizer's files, and of what decides its ids: the same tokenizer saved again has
  /// other bytes. Empty in descriptions of earlier versions.
  std::string tokenizer_sha256, tokenizer_tables_sha256;
  std::vector<std::string> reasoning;  ///< name and hash of each reasoning set
  std::string machine;                 ///< processor, cores, dtype, threads
  /// What decides the last bits of every result, by name: kArithmeticNames. Empty in descriptions
  /// of earlier versions, as is a name that they did not know.
  std::map<std::string, std::string> arithmetic;
  std::vector<PlannedCell> planned;  ///< empty in descriptions of earlier versions
  std::optional<Shard> shard;        ///< nullopt: the whole sweep, or not known
  /// The run folders that these records were put together from; empty for what was run here.
  std::vector<std::string> merged_from;
  std::vector<std::string> caveats;  ///< said at the top of the report, in full
  std::vector<PublishedFigure> published;
  std::vector<GradientCurve> gradients;  ///< of its fine-tunes, where known
  std::string started, finished;         ///< ISO 8601 UTC; not part of any comparison
  std::string config_json;               ///< resolved config, as JSON text
};

/// Names in RunInfo::arithmetic, in the order to show. Other names are kept and compared as well.
inline constexpr std::array<std::string_view, 5> kArithmeticNames = {
    "device", "dtype", "prefill_chunk", "processor", "cpu_capability"};

/// Whether both runs' tokenizers make the same ids.
bool is_same_tokenizer(const RunInfo& first, const RunInfo& second);

/// `list`, "A and B", with the members of `more` that it does not have.
std::string with_also(const std::string& list, const std::string& more);

/// One name of RunInfo::arithmetic that two runs do not have in common.
struct ArithmeticDifference {
  std::string name;  ///< "dtype"; "machine" where a run says no more than its machine in one line
  std::string first;
  std::string second;

  /// Whether records on both sides may not stand in one journal: the numbers that were computed
  /// with are not the same (device, dtype, prefill_chunk), or may be the same to the last bit
  /// (processor).
  bool separates() const;
  /// "dtype (fp32 against bf16)".
  std::string words() const;
};

/// What was computed otherwise: every name that both runs give and give differently. Where one of
/// them is of an earlier version and has no such names, their machines as a whole.
std::vector<ArithmeticDifference> arithmetic_differences(const RunInfo& first,
                                                         const RunInfo& second);

void to_json(nlohmann::json& json, const RunInfo& info);
/// Throws DataError naming the missing or ill-typed field. Fields it does not know are left to
/// other readers of plan.json.
void from_json(const nlohmann::json& json, RunInfo& info);

}  // namespace niah::reports
