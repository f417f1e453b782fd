#include "harness/plan/work_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/error.h"
#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/path_kind.h"
#include "harness/base/sha256.h"
#include "harness/base/text.h"
#include "harness/config/ranges.h"
#include "harness/plan/run_folder.h"
#include "harness/plan/sizing.h"
#include "models/tokenizer/prompt_encoder.h"
#include "tasks/sample_file.h"
#include "tasks/task.h"

namespace niah {
namespace {

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// Corrects the lengths of a sample from a file, which may have been sized by another tokenizer,
/// and without the format's overhead.
void count_anew(reports::Record& record, const PromptFormat& format, std::int64_t answer_tokens,
                const GenerationConfig& generation) {
  const std::int64_t longer =
      std::max<std::int64_t>(0, generation.max_new_tokens - tasks::kGenerationTokens);
  record.real_length =
      record.prompt_tokens + answer_tokens + longer + generation.max_thinking_tokens;
  record.length -= format.overhead();
}

std::int64_t answer_tokens_of(const std::string& task) {
  const tasks::Task* known = tasks::known_task(task);
  return known == nullptr ? tasks::kGenerationTokens : known->answer_tokens;
}

std::string depth_list(const std::vector<double>& depths) {
  std::vector<std::string> texts;
  for (const double depth : depths) texts.push_back(depth_text(depth));
  return fmt::format("{}", fmt::join(texts, " "));
}

}  // namespace

std::string WorkItem::task() const {
  return cell != nullptr ? cell->request().task : reasoning->set->name();
}

bool ends_early(const WorkItem& work, const SweepConfig& sweep) {
  return work.cell != nullptr && sweep.samples.half_width > 0;
}

namespace {

/// Opens the sweep's tokenizer. When it is that of a model's base checkpoint and the folder is
/// missing, the error names the model.
std::shared_ptr<const models::Tokenizer> open_tokenizer_of(const SweepConfig& sweep) {
  const auto model =
      std::find_if(sweep.models.begin(), sweep.models.end(),
                   [&](const ModelConfig& one) { return one.base.folder == sweep.tokenizer; });
  if (model == sweep.models.end() || is_there(sweep.tokenizer))
    return models::open_tokenizer(sweep.tokenizer);
  throw DataError(fmt::format("opening the base checkpoint of model '{}': {}: no such folder",
                              valid_utf8(model->name), sweep.tokenizer.string()));
}

}  // namespace

WorkList::WorkList(const SweepConfig& sweep)
    : sweep_(sweep),
      tokenizer_(open_tokenizer_of(sweep)),
      format_(std::make_unique<PromptFormat>(sweep, *tokenizer_)) {
  for (const ReasoningConfig& config : sweep_.reasoning)
    reasoning_.push_back(
        {config, tasks::open_reasoning_set(config.kind, config.path, sweep_.seed)});
  if (sweep_.sample_files.empty())
    make_cells();
  else
    read_cells();
}

void WorkList::read_cells() {
  cells_ = tasks::read_sample_files(sweep_.sample_files, sweep_.samples.otherwise, open_run_of_log);
  haystack_id_ = "samples from";
  for (const tasks::SampleFile& file : sweep_.sample_files)
    haystack_id_ += fmt::format(" {} {}", file.path.filename().string(),
                                sha256_hex(MappedFile(file.path).view()).substr(0, 16));
  sweep_.protocol = cells_.front()->sample(0).protocol;
  for (const auto& cell : cells_) {
    add_once(sweep_.tasks, cell->request().task);
    add_once(sweep_.lengths, cell->request().length);
  }
}

void WorkList::make_cells() {
  const auto haystack = tasks::open_haystack(sweep_.haystack);
  haystack_id_ = fmt::format("{} {}", haystack->name(), haystack->sha256().substr(0, 16));
  // Needles and their places are part of the text that is read, and are told apart with it.
  if (!sweep_.depths.empty()) haystack_id_ += fmt::format(", depths {}", depth_list(sweep_.depths));
  for (const tasks::OwnNeedle& needle : sweep_.needles)
    haystack_id_ += fmt::format(", needle {}", needle.identity());
  // Task by task, as lm-eval builds them: its one random stream runs through all cells.
  std::vector<tasks::CellRequest> requests;
  for (const std::string& task : sweep_.tasks)
    for (const std::int64_t length : sweep_.lengths)
      requests.push_back({task, std::max<std::int64_t>(1, length - format_->overhead()),
                          sweep_.samples.at(task, length)});
  try {
    auto spec = protocol_spec(sweep_.protocol, sweep_.seed, haystack, tokenizer_);
    spec.depths = sweep_.depths;
    spec.needles = sweep_.needles;
    cells_ = tasks::make_cells(spec, requests);
  } catch (const UsageError& error) {
    if (format_->overhead() == 0) throw;
    throw UsageError(
        fmt::format("{} ({} tokens of every length are kept for the prompt's format, the thought "
                    "and what an answer may have beyond {})",
                    error.what(), format_->overhead(), tasks::kGenerationTokens));
  }
  std::stable_sort(cells_.begin(), cells_.end(), [](const auto& a, const auto& b) {
    return a->request().length < b->request().length;
  });
}

std::int64_t WorkList::nominal(const tasks::Cell& cell) const {
  const bool made = sweep_.sample_files.empty();
  return cell.request().length + (made ? format_->overhead() : 0);
}

std::vector<std::string> WorkList::reasoning_ids() const {
  std::vector<std::string> ids;
  for (const OpenedReasoning& reasoning : reasoning_)
    ids.push_back(fmt::format("{}, up to {} tokens", reasoning.set->identity(),
                              reasoning.config.max_new_tokens));
  return ids;
}

std::vector<WorkItem> WorkList::assignments() const {
  std::vector<WorkItem> list;
  for (const OpenedReasoning& reasoning : reasoning_) {
    const auto size = reasoning.set->size();
    std::int64_t samples = reasoning.config.samples;
    if (size && (samples == 0 || samples > *size)) samples = *size;
    list.push_back({reasoning.set->name(), nullptr, &reasoning, samples, 0});
  }
  for (const auto& cell : cells_) {
    const tasks::CellRequest& request = cell->request();
    list.push_back({cell_name(request.task, nominal(*cell)), cell.get(), nullptr, request.samples,
                    nominal(*cell)});
  }
  return list;
}

std::int64_t WorkList::longest_length() const {
  std::int64_t longest = 0;
  for (const auto& cell : cells_) longest = std::max(longest, nominal(*cell));
  return longest;
}

std::vector<Question> WorkList::questions(const WorkItem& assignment, const Wanted& wanted) const {
  std::vector<Question> questions;
  models::PromptEncoder encoder(*tokenizer_);
  for (std::int64_t i = 0; i < assignment.samples; ++i) {
    stop_if_interrupted();
    if (assignment.cell == nullptr) {
      const OpenedReasoning& reasoning = *assignment.reasoning;
      if (wanted("reasoning", reasoning.set->name(), 0, i))
        questions.push_back(reasoning_question(reasoning.set, i, *format_, *tokenizer_,
                                               reasoning.config, sweep_.generation));
      continue;
    }
    const tasks::Cell& cell = *assignment.cell;
    if (!wanted("recall", cell.request().task, assignment.length, cell.index(i))) continue;
    questions.push_back(
        needle_question(cell, i, *format_, *tokenizer_, encoder, sweep_.generation));
    if (!sweep_.sample_files.empty())
      count_anew(questions.back().record_template, *format_, answer_tokens_of(cell.request().task),
                 sweep_.generation);
  }
  return questions;
}

std::string WorkList::short_warning(const WorkItem& assignment,
                                    const std::vector<Question>& questions) const {
  if (assignment.cell == nullptr || questions.empty()) return "";
  const auto shortest = std::min_element(
      questions.begin(), questions.end(), [](const Question& a, const Question& b) {
        return a.record_template.real_length < b.record_template.real_length;
      });
  tasks::CellRequest named = assignment.cell->request();
  named.length = assignment.length;
  return short_cell_warning(named, sweep_.protocol, shortest->record_template.real_length);
}

}  // namespace niah
