#include "harness/run/workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/files.h"
#include "harness/base/interrupt.h"
#include "harness/base/sha256.h"
#include "harness/run/sizing.h"
#include "models/tokenizer/prompt_encoder.h"
#include "tasks/sample_file.h"

namespace niah {
namespace {

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// A file's sample may have been sized by another tokenizer.
void count_anew(reports::Record& record) {
  record.real_length = record.prompt_tokens + tasks::kGenerationTokens;
}

}  // namespace

Workload::Workload(const SweepConfig& sweep)
    : sweep_(sweep), tokenizer_(models::open_tokenizer(sweep.tokenizer)) {
  if (sweep_.sample_files.empty())
    make_cells();
  else
    read_cells();
}

void Workload::read_cells() {
  cells_ = tasks::read_sample_files(sweep_.sample_files, sweep_.samples.otherwise);
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

void Workload::make_cells() {
  const auto haystack = tasks::open_haystack(sweep_.haystack);
  haystack_id_ = fmt::format("{} {}", haystack->name(), haystack->sha256().substr(0, 16));
  // Task by task, as lm-eval builds them: its one random stream runs through all cells.
  std::vector<tasks::CellRequest> requests;
  for (const std::string& task : sweep_.tasks)
    for (const std::int64_t length : sweep_.lengths)
      requests.push_back({task, length, sweep_.samples.at(length)});
  cells_ = tasks::make_cells(protocol_spec(sweep_.protocol, sweep_.seed, haystack, tokenizer_),
                             requests);
  std::stable_sort(cells_.begin(), cells_.end(), [](const auto& a, const auto& b) {
    return a->request().length < b->request().length;
  });
}

std::vector<Assignment> Workload::assignments() const {
  std::vector<Assignment> list;
  if (sweep_.reasoning) list.push_back({"reasoning", nullptr, sweep_.reasoning->samples, 0});
  for (const auto& cell : cells_) {
    const tasks::CellRequest& request = cell->request();
    list.push_back(
        {cell_label(request.task, request.length), cell.get(), request.samples, request.length});
  }
  return list;
}

std::vector<Question> Workload::questions(const Assignment& assignment,
                                          const Wanted& wanted) const {
  std::vector<Question> questions;
  models::PromptEncoder encoder(*tokenizer_);
  for (std::int64_t i = 0; i < assignment.samples; ++i) {
    stop_if_interrupted();
    if (assignment.cell == nullptr) {
      if (wanted("reasoning", "word-problems", 0, i))
        questions.push_back(reasoning_question(sweep_.seed, i, *tokenizer_, *sweep_.reasoning));
      continue;
    }
    const tasks::CellRequest& request = assignment.cell->request();
    if (!wanted("recall", request.task, request.length, assignment.cell->index(i))) continue;
    questions.push_back(
        needle_question(*assignment.cell, i, *tokenizer_, encoder, sweep_.generation));
    if (!sweep_.sample_files.empty()) count_anew(questions.back().blank);
  }
  return questions;
}

std::string Workload::short_warning(const Assignment& assignment,
                                    const std::vector<Question>& questions) const {
  if (assignment.cell == nullptr || questions.empty()) return "";
  const auto shortest = std::min_element(questions.begin(), questions.end(),
                                         [](const Question& a, const Question& b) {
                                           return a.blank.real_length < b.blank.real_length;
                                         });
  return short_cell_warning(assignment.cell->request(), sweep_.protocol,
                            shortest->blank.real_length);
}

}  // namespace niah
