#include "harness/plan/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/numbers.h"
#include "harness/base/path_kind.h"
#include "harness/base/pending_folder.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/base/units.h"
#include "harness/plan/companions.h"
#include "harness/plan/plan.h"
#include "reports/format.h"
#include "reports/journal_reader.h"
#include "tasks/task.h"

namespace niah {
namespace {

/// The sweep of a run's config, with only the variants called `variant` unless that is empty.
SweepConfig sweep_of(const std::string& config_json, const std::filesystem::path& folder,
                     const std::string& variant) {
  SweepConfig sweep;
  try {
    // Plans of earlier versions may hold paths relative to where the run was started.
    sweep = parse_sweep(config_json, (folder / "plan.json").string() + " (config)",
                        std::filesystem::current_path(), {});
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{} (a plan of an earlier version? Run it again)", error.what()));
  }
  if (variant.empty()) return sweep;
  std::vector<std::string> names;
  for (ModelConfig& model : sweep.models) {
    for (const VariantConfig& one : model.variants) names.push_back(one.name);
    std::erase_if(model.variants, [&](const auto& one) { return one.name != variant; });
  }
  std::erase_if(sweep.models, [](const ModelConfig& model) { return model.variants.empty(); });
  if (sweep.models.empty())
    throw UsageError(fmt::format("--variant '{}': the run has {}{}", valid_utf8(variant),
                                 fmt::join(names, ", "), did_you_mean(variant, names)));
  return sweep;
}

}  // namespace

reports::Report draw_again(const std::filesystem::path& run) {
  reports::Report report = reports::write_report(read_plan(run), {run / "journal.jsonl"}, run);
  add_companions(report, run);
  return report;
}

reports::Report draw_with_prompts(const std::filesystem::path& run) {
  const RunFolder folder(run, "");
  const auto text_of = [&](const std::string& task, std::int64_t length, std::int64_t index) {
    const StoredSample stored = folder.sample({task, length, index});
    if (!stored.sample) return reports::SampleText{stored.prompt, "", stored.prompt};
    return reports::SampleText{stored.sample->input, stored.sample->gen_prefix, stored.prompt};
  };
  reports::Report report =
      reports::write_report(folder.info(), {run / "journal.jsonl"}, run, text_of);
  add_companions(report, run);
  return report;
}

tasks::SampleMaker open_run_of_log(const std::filesystem::path& log) {
  // RUN/lm_eval/VARIANT/samples_...jsonl
  const std::filesystem::path logs = canonical_path(log).parent_path().parent_path();
  const std::filesystem::path run = logs.parent_path();
  if (logs.filename() != "lm_eval" || !is_there(run / "plan.json")) return {};
  if (!sweep_of(read_plan(run).config_json, run, "").sample_files.empty())
    throw UsageError(fmt::format(
        "reading samples from {}: its run read them from files itself; give those files",
        log.string()));
  const auto folder = std::make_shared<const RunFolder>(run, "");
  return [folder](const std::string& task, std::int64_t length, std::int64_t index) {
    return folder->logged_sample({task, length, index});
  };
}

std::string SampleId::text() const { return reports::sample_id(task, length, index); }

SampleId parse_sample_id(const std::string& text) {
  const auto refuse = [&] {
    return UsageError(
        fmt::format("sample '{}': such as s2@64K#7 (task, length, index) or gsm8k#7 was expected",
                    valid_utf8(text)));
  };
  SampleId id;
  const std::size_t hash = text.rfind('#'), at = text.find('@');
  if (hash == std::string::npos || (at != std::string::npos && at > hash)) throw refuse();
  const auto index = parse_integer(std::string_view(text).substr(hash + 1), kNotNegative);
  if (!index) throw refuse();
  id.index = *index;
  id.task = tasks::our_task_name(text.substr(0, std::min(at, hash)));
  if (at != std::string::npos) {
    const auto length = parse_length(std::string_view(text).substr(at + 1, hash - at - 1));
    if (!length) throw refuse();
    id.length = *length;
  }
  if (id.task.empty()) throw refuse();
  return id;
}

TokenSpan needle_tokens(const tasks::Sample& sample, const std::string& prompt,
                        const models::Tokenizer& tokenizer) {
  const std::size_t start = prompt.find(sample.input);
  check(start != std::string::npos, "a prompt holds its sample's text");
  std::size_t begin = start + byte_of_code_point(sample.input, sample.needle.begin);
  while (begin > 0 && prompt[begin - 1] == ' ') --begin;
  const std::size_t end = start + byte_of_code_point(sample.input, sample.needle.end);
  const auto tokens_before = [&](std::size_t byte) {
    return tokenizer.count_prompt(std::string_view(prompt).substr(0, byte)) -
           static_cast<std::int64_t>(tokenizer.suffix_ids().size());
  };
  return {tokens_before(begin), tokens_before(end)};
}

RunFolder::RunFolder(const std::filesystem::path& folder, const std::string& variant)
    : folder_(folder), info_(read_plan(folder)) {
  std::vector<std::string> configs = {info_.config_json};
  configs.insert(configs.end(), info_.other_configs.begin(), info_.other_configs.end());
  for (const std::string& config : configs) {
    Sweep& sweep = sweeps_.emplace_back();
    sweep.work = std::make_unique<WorkList>(sweep_of(config, folder, variant));
    sweep.assignments = sweep.work->assignments();
    if (sweep.work->haystack_id() != info_.haystack)
      throw UsageError(fmt::format("{}: its haystack was {}, what is there now is {}",
                                   folder.string(), info_.haystack, sweep.work->haystack_id()));
  }
}

RunFolder::Place RunFolder::find(const SampleId& id) const {
  std::vector<std::string> all;
  std::int64_t samples = 0;
  for (const Sweep& sweep : sweeps_)
    for (const WorkItem& item : sweep.assignments) {
      const std::string task = item.task();
      if (task == id.task && item.length == id.length) {
        samples = std::max(samples, item.samples);
        for (std::int64_t i = 0; i < item.samples; ++i)
          if ((item.cell != nullptr ? item.cell->index(i) : i) == id.index)
            return {sweep.work.get(), &item, i};
      }
      const std::string cell =
          item.length == 0 ? task : fmt::format("{}@{}", task, format_length(item.length));
      if (std::find(all.begin(), all.end(), cell) == all.end()) all.push_back(cell);
    }
  if (samples > 0)
    throw UsageError(fmt::format("{}: this cell has {}, from #0 on", id.text(),
                                 reports::counted(samples, "sample")));
  throw UsageError(
      fmt::format("{}: this run has {}, each from #0 on", id.text(), fmt::join(all, ", ")));
}

StoredSample RunFolder::sample(const SampleId& id) const {
  const auto [work, item, ordinal] = find(id);
  std::vector<Question> questions =
      work->questions(*item, [&](const auto&, const auto&, std::int64_t, std::int64_t index) {
        return index == id.index;
      });
  StoredSample stored{std::move(questions.front()), {}, {}};
  if (item->cell == nullptr) {
    stored.prompt = stored.question.prompt();
    return stored;
  }
  stored.sample = item->cell->sample(ordinal);
  stored.prompt = work->format().frame(*stored.sample);
  return stored;
}

tasks::LoggedSample RunFolder::logged_sample(const SampleId& id) const {
  const auto [work, item, ordinal] = find(id);
  if (item->cell == nullptr)
    throw UsageError(
        fmt::format("{}: this is a reasoning problem; name its file in `reasoning`", id.text()));
  tasks::Sample sample = item->cell->sample(ordinal);
  return {sample, sha256_hex(work->format().frame(sample))};
}

std::vector<reports::Record> RunFolder::records(const SampleId& id) const {
  std::vector<reports::Record> found;
  reports::read_records(folder_ / "journal.jsonl", [&](const reports::Record& record) {
    if (record.task == id.task && record.length == id.length && record.index == id.index)
      found.push_back(record);
  });
  return found;
}

}  // namespace niah
