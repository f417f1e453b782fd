#include "reports/analysis/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "harness/base/error.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "reports/analysis/variant_labels.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

constexpr std::size_t kExamplesEach = 2;
constexpr std::size_t kExampleBytes = 400;
constexpr std::size_t kNameBytes = 60;
constexpr std::size_t kDetailCharacters = 200;

template <typename T>
std::size_t place_of(const std::vector<T>& list, const auto& matches) {
  return static_cast<std::size_t>(std::find_if(list.begin(), list.end(), matches) - list.begin());
}

std::uint64_t prompt_prefix(const std::string& sha256) {
  return sha256.empty() ? 0 : std::stoull(sha256.substr(0, 16), nullptr, 16);
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// How many of a cell's planned samples it has. After a sweep got smaller, a cell has others too.
std::int64_t count_found(const RunInfo& run, const PlannedCell& planned, const Cell& cell) {
  // Plans of earlier versions do not say which samples of a file they asked.
  if (planned.indexes.empty() && run.haystack.starts_with("samples from "))
    return std::ssize(cell.samples);
  return std::count_if(cell.samples.begin(), cell.samples.end(), [&](const Outcome& sample) {
    return planned.indexes.empty()
               ? sample.index < planned.samples
               : std::binary_search(planned.indexes.begin(), planned.indexes.end(), sample.index);
  });
}

}  // namespace

int Results::depth_bands_of(std::string_view task) const {
  bool has_samples = false;
  for (const Cell& cell : cells) {
    if (cell.kind != "recall" || cell.task != task) continue;
    for (const Outcome& sample : cell.samples) {
      if (sample.depth > 0 || sample.real_depth > 0) return kDepthBands;
      has_samples = has_samples || sample.scored;
    }
  }
  return has_samples ? 1 : kDepthBands;
}

bool Results::asks(std::string_view task, std::int64_t length) const {
  return run.planned.empty() ||
         std::any_of(run.planned.begin(), run.planned.end(), [&](const PlannedCell& planned) {
           return planned.kind == "recall" && planned.task == task && planned.length == length;
         });
}

bool Results::is_whole(const Cell& cell) const {
  const auto planned =
      std::find_if(run.planned.begin(), run.planned.end(), [&](const PlannedCell& one) {
        return one.kind == cell.kind && one.task == cell.task && one.length == cell.length;
      });
  return planned == run.planned.end() || planned->may_end_early ||
         count_found(run, *planned, cell) >= planned->samples;
}

const Cell* Results::find(std::string_view kind, std::string_view variant, std::string_view task,
                          std::int64_t length) const {
  const auto at = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.length == length && cell.task == task && cell.variant == variant &&
           cell.kind == kind;
  });
  return at == cells.end() ? nullptr : &*at;
}

std::vector<std::string> Results::reasoning_tasks() const {
  std::vector<std::string> tasks;
  for (const Cell& cell : cells)
    if (cell.kind == "reasoning") tasks.push_back(cell.task);
  std::sort(tasks.begin(), tasks.end());
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  return tasks;
}

Collector::Collector(RunInfo run) {
  results_.run = std::move(run);
  for (const VariantInfo& variant : results_.run.variants) {
    if (variant.server.empty()) continue;
    answers_of_.insert(variant.fingerprint);
    if (const VariantInfo* local = find_checkpoint(results_.run, variant))
      answers_of_.insert(local->fingerprint);
  }
}

std::vector<MissingSamples> missing_samples(const Results& results) {
  std::vector<MissingSamples> missing;
  for (const PlannedCell& planned : results.run.planned)
    for (const VariantInfo& variant : results.run.variants) {
      const Cell* cell =
          results.find(planned.kind, variant.fingerprint, planned.task, planned.length);
      const std::int64_t found = cell == nullptr ? 0 : count_found(results.run, planned, *cell);
      const std::int64_t least = planned.may_end_early ? 1 : planned.samples;
      if (found < std::min(least, planned.samples))
        missing.push_back({planned, variant.fingerprint, found});
    }
  return missing;
}

std::int64_t count_missing(const std::vector<MissingSamples>& missing) {
  return std::accumulate(missing.begin(), missing.end(), std::int64_t{0},
                         [](std::int64_t sum, const MissingSamples& one) {
                           return sum + one.cell.samples - one.found;
                         });
}

std::int64_t count_other_prompts(const Results& results) {
  std::map<std::tuple<std::string_view, std::string_view, std::int64_t, std::int64_t>,
           std::uint64_t>
      first;
  std::int64_t count = 0;
  for (const Cell& cell : results.cells)
    for (const Outcome& sample : cell.samples) {
      if (sample.prompt == 0) continue;  // the prompt was not built
      const auto [known, is_new] =
          first.try_emplace({cell.kind, cell.task, cell.length, sample.index}, sample.prompt);
      count += known->second == sample.prompt ? 0 : 1;
    }
  return count;
}

std::string Collector::foreign_part(const Record& record, std::size_t variant,
                                    std::size_t task) const {
  const RunInfo& run = results_.run;
  if (variant == run.variants.size())
    return "variant " + valid_utf8(record.variant.substr(0, kNameBytes));
  const std::string cell = cell_label(valid_utf8(record.task.substr(0, kNameBytes)), record.length);
  if (record.kind == "reasoning") return record.length == 0 ? "" : cell;
  if (record.protocol != run.protocol)
    return "protocol " + valid_utf8(record.protocol.substr(0, kNameBytes));
  const bool known = task < run.tasks.size() && std::find(run.lengths.begin(), run.lengths.end(),
                                                          record.length) != run.lengths.end();
  return known ? "" : cell;
}

/// Counts a left-out record under its reason. A damaged journal may have any number of reasons, so
/// beyond kMostNames they are counted together.
void Collector::leave_out(const std::string& what) {
  constexpr std::size_t kMostNames = 50;
  ++results_.ignored;
  const bool fits = results_.left_out.size() < kMostNames || results_.left_out.contains(what);
  ++results_.left_out[fits ? what : "others"];
}

bool Collector::add(const Record& record) {
  const RunInfo& run = results_.run;
  const std::size_t variant = place_of(
      run.variants, [&](const VariantInfo& info) { return info.fingerprint == record.variant; });
  const std::size_t task =
      place_of(run.tasks, [&](const std::string& name) { return name == record.task; });
  const std::string foreign = foreign_part(record, variant, task);
  if (!foreign.empty()) {
    leave_out(foreign);
    return false;
  }
  results_.seconds += record.seconds;
  results_.computed_tokens += record.computed_tokens;

  Sample sample;
  sample.outcome = {record.index,     record.depth,      prompt_prefix(record.prompt_sha256),
                    record.scored(),  record.score >= 1, record.value_log_prob,
                    record.real_depth};
  sample.what = record.scored() ? record.miss : record.outcome;
  if (!record.scored())
    sample.detail = shorten(one_line(valid_utf8(record.detail)), kDetailCharacters);
  sample.score = record.score;
  sample.real_length = record.real_length;
  sample.rank = record.value_rank;
  samples_[{record.kind == "reasoning", task, record.task, record.length, variant}].push_back(
      std::move(sample));
  if (record.scored() && record.score < 1 && record.kind == "recall")
    keep_example(record, variant, task);
  if (record.scored() && answers_of_.contains(record.variant)) keep_answer(record);
  return true;
}

void Collector::keep_answer(const Record& record) {
  results_.answers[{record.variant, record.kind, record.task, record.length}].try_emplace(
      record.index, kept_answer(record));
}

void Collector::keep_example(const Record& record, std::size_t variant, std::size_t task) {
  auto& kept = examples_[{variant, task}];
  const std::pair<std::int64_t, std::int64_t> key = {-record.length, record.index};
  if (kept.size() == kExamplesEach && std::prev(kept.end())->first < key) return;
  kept[key] = {record.variant,
               record.task,
               record.length,
               record.index,
               record.real_depth,
               record.miss,
               valid_utf8(joined(record.expected).substr(0, kExampleBytes)),
               valid_utf8(record.text.substr(0, kExampleBytes))};
  if (kept.size() > kExamplesEach) kept.erase(std::prev(kept.end()));
}

std::vector<Collector::Sample> Collector::without_repeats(const Key& key,
                                                          std::vector<Sample> samples) const {
  // A sample that could not be measured may have been tried again, so scored records come first.
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::pair(a.outcome.index, !a.outcome.scored) <
           std::pair(b.outcome.index, !b.outcome.scored);
  });
  std::vector<Sample> kept;
  for (Sample& sample : samples) {
    if (kept.empty() || kept.back().outcome.index != sample.outcome.index) {
      kept.push_back(std::move(sample));
      continue;
    }
    const Outcome& first = kept.back().outcome;
    const Outcome& again = sample.outcome;
    if (!again.scored || (first.prompt == again.prompt && first.hit == again.hit)) continue;
    throw DataError(fmt::format(
        "collecting the records of {}: sample {} of {} was recorded twice, with different {}; the "
        "journal mixes two runs, use one run folder for each",
        key.task, again.index, format_length(key.length),
        first.prompt == again.prompt ? "outcomes" : "prompts"));
  }
  return kept;
}

Cell Collector::summarise(const Key& key, const std::vector<Sample>& samples) const {
  Cell cell;
  cell.kind = key.reasoning ? "reasoning" : "recall";
  cell.variant = results_.run.variants[key.variant_place].fingerprint;
  cell.task = key.task;
  cell.length = key.length;
  double real_length = 0;
  double score = 0;
  double log_prob = 0;
  std::int64_t log_probs = 0;
  std::vector<double> ranks;
  for (const Sample& sample : samples) {
    cell.samples.push_back(sample.outcome);
    if (!sample.outcome.scored) {
      ++cell.unmeasured[sample.what];
      if (!sample.detail.empty()) cell.unmeasured_details.try_emplace(sample.what, sample.detail);
      continue;
    }
    cell.min_real_length =
        cell.n == 0 ? sample.real_length : std::min(cell.min_real_length, sample.real_length);
    ++cell.n;
    cell.hits += sample.outcome.hit ? 1 : 0;
    if (!sample.outcome.hit) ++cell.misses[sample.what];
    score += sample.score;
    real_length += static_cast<double>(sample.real_length);
    if (sample.rank) ranks.push_back(static_cast<double>(*sample.rank));
    if (!sample.outcome.log_prob) continue;
    log_prob += *sample.outcome.log_prob;
    ++log_probs;
  }
  if (cell.n == 0) return cell;
  cell.mean_score = score / static_cast<double>(cell.n);
  cell.mean_real_length = real_length / static_cast<double>(cell.n);
  if (log_probs > 0) cell.mean_log_prob = log_prob / static_cast<double>(log_probs);
  if (!ranks.empty()) cell.median_rank = median(std::move(ranks));
  return cell;
}

Results Collector::finish() && {
  for (auto& [key, samples] : samples_)
    results_.cells.push_back(summarise(key, without_repeats(key, std::move(samples))));
  for (auto& [key, kept] : examples_)
    for (auto& [order, example] : kept) results_.examples.push_back(std::move(example));
  return std::move(results_);
}

}  // namespace niah::reports
