#include "harness/run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/numbers.h"
#include "harness/base/output.h"
#include "harness/base/path_kind.h"
#include "harness/base/progress.h"
#include "harness/base/text.h"
#include "harness/plan/journal.h"
#include "harness/plan/plan.h"
#include "harness/plan/run_mark.h"
#include "harness/plan/sharding.h"
#include "harness/plan/work_list.h"
#include "harness/run/measurement.h"
#include "reports/diagnosis/page.h"
#include "reports/format.h"

namespace niah {
namespace {

/// Sorts variants into the order of `sweep`, whichever engine has them. Those that `sweep` lacks
/// come last, in their old order.
void sort_like(const std::vector<reports::VariantInfo>& sweep,
               std::vector<reports::VariantInfo>& variants) {
  const auto place = [&](const reports::VariantInfo& variant) {
    return std::find_if(sweep.begin(), sweep.end(), [&](const reports::VariantInfo& one) {
      return one.model == variant.model && one.name == variant.name;
    });
  };
  std::stable_sort(variants.begin(), variants.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

/// A run in progress: its folder, engines and description.
class Run {
 public:
  Run(const SweepConfig& sweep, const RunOptions& options, const EngineOpener& opener);
  void measure();
  reports::Report finish();

 private:
  void open_engines(const EngineOpener& opener);
  void take_shard(const std::optional<reports::RunInfo>& begun);

  RunOptions options_;
  WorkList work_;
  reports::RunInfo info_;
  std::unique_ptr<Journal> journal_;
  std::vector<OpenedEngine> engines_;
};

Run::Run(const SweepConfig& sweep, const RunOptions& options, const EngineOpener& opener)
    : options_(options), work_(sweep) {
  if (options_.shard.of > 1) require_shardable(sweep);
  const std::filesystem::path plan = options_.out / "plan.json",
                              journal = options_.out / "journal.jsonl";
  const bool has_plan = is_there(plan), has_journal = is_there(journal);
  require_own_folder(options_.out, {"plan.json", reports::kDiagnosisPage}, "running a sweep",
                     {"journal.jsonl", kLastRunFile});
  ensure_writable_folder(options_.out);
  try {
    // Loading takes minutes. Before that, the folder is locked and checked to be of the same run.
    journal_ = std::make_unique<Journal>(journal);
    if (!has_plan && journal_->torn() && journal_->resumed() == 0)
      throw UsageError(
          fmt::format("running a sweep: {} holds no complete record, and there is no plan.json "
                      "next to it, so it may not be a journal; choose another --out, or remove it",
                      journal.string()));
    info_ = describe_sweep(work_);
    opener.describe(info_);
    const std::optional<reports::RunInfo> begun = check_plan(options_.out, info_);
    if (begun) keep_tokenizer(*begun, info_);
    if (options_.shard.of > 1) take_shard(begun);
    open_engines(opener);
    mark_begun(options_.out);  // of a new folder: a killed run must not look like a whole one
    write_plan(options_.out, info_);
    journal_->repair();
  } catch (...) {
    std::error_code ignored;
    if (!has_journal) std::filesystem::remove(journal, ignored);
    if (!has_plan && !is_there(plan)) remove_mark(options_.out);
    throw;
  }
  // Until this run ends, an earlier one's results must not pass for its own.
  std::filesystem::remove(options_.out / "results.json");
}

/// A shard that was begun by an earlier version keeps its samples: its siblings have the others.
void Run::take_shard(const std::optional<reports::RunInfo>& begun) {
  reports::Shard& shard = info_.shard.emplace();
  shard.number = options_.shard.number;
  shard.of = options_.shard.of;
  const reports::Shard* known =
      begun && begun->shard && begun->shard->of == shard.of ? &*begun->shard : nullptr;
  if (known != nullptr && known->parts.empty()) return;
  shard.parts = share_out(work_, shard.of);
  if (known != nullptr && known->parts != shard.parts)
    say("the sweep is not the one that this shard was begun with: its samples are shared out anew, "
        "and what other shards have may be asked again\n");
}

void Run::open_engines(const EngineOpener& opener) {
  engines_ = opener.open(work_, info_.tokenizer_sha256);
  const std::vector<reports::VariantInfo> in_order = std::exchange(info_.variants, {});
  std::vector<std::string> warnings;
  for (const OpenedEngine& opened : engines_) {
    info_.variants.insert(info_.variants.end(), opened.variants.begin(), opened.variants.end());
    warnings.insert(warnings.end(), opened.warnings.begin(), opened.warnings.end());
  }
  sort_like(in_order, info_.variants);
  require_distinct_fingerprints(info_.variants);
  info_.caveats.insert(info_.caveats.end(), warnings.begin(), warnings.end());
  for (const std::string& warning : warnings) print_warning(warning);
}

void Run::measure() {
  if (journal_->resumed() > 0)
    say("continuing: {} {} there already{}\n", reports::counted(journal_->resumed(), "record"),
        journal_->resumed() == 1 ? "is" : "are",
        journal_->torn() ? ", one torn line was dropped" : "");
  for (const OpenedEngine& opened : engines_)
    if (opened.rehearse) opened.rehearse(options_.quiet);
  const ShardSamples samples = info_.shard ? ShardSamples(*info_.shard) : ShardSamples();
  Measurement(work_, engines_, *journal_, samples).run(options_.quiet);
}

reports::Report Run::finish() {
  info_.finished = utc_now();
  write_plan(options_.out, info_);
  reports::Report report =
      reports::write_report(info_, {options_.out / "journal.jsonl"}, options_.out);
  mark_ended(options_.out, info_.config_json);
  return report;
}

}  // namespace

ShardChoice parse_shard(const std::string& text) {
  const auto refuse = [&] {
    return UsageError(fmt::format("--shard '{}': such as 2/4, the second of four, was expected",
                                  valid_utf8(text)));
  };
  const std::size_t slash = text.find('/');
  const auto number = [&](std::string_view part) {
    const auto value = parse_integer(part, {1, reports::kMostShards});
    if (!value) throw refuse();
    return *value;
  };
  if (slash == std::string::npos) throw refuse();
  const std::string_view view = text;
  const std::int64_t shard = number(view.substr(0, slash)), shards = number(view.substr(slash + 1));
  if (shard > shards) throw refuse();
  return {shard, shards};
}

reports::Report run_sweep(const SweepConfig& sweep, const RunOptions& options,
                          const EngineOpener& opener) {
  Run run(sweep, options, opener);
  run.measure();
  return run.finish();
}

}  // namespace niah
