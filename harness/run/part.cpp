#include "harness/run/part.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "harness/base/error.h"
#include "harness/run/asking.h"

namespace niah {
namespace {

/// "sft, qk".
std::string names_of(const AskedGroup& group) {
  std::string names;
  for (const reports::VariantInfo& variant : group.variants)
    names += (names.empty() ? "" : ", ") + variant.name;
  return names;
}

/// The questions of a cell that this run has to ask, and has not asked yet.
std::vector<Question> open_questions(const RunContext& context, const WorkItem& cell,
                                     const AskedGroup& group) {
  return context.work.questions(cell, [&](const std::string& kind, const std::string& task,
                                          std::int64_t length, std::int64_t index) {
    if (!context.samples.holds(kind, task, length, index)) return false;
    return !std::all_of(group.variants.begin(), group.variants.end(), [&](const auto& variant) {
      return context.journal.has(variant.fingerprint, kind, task, length, index);
    });
  });
}

}  // namespace

OpenPart::OpenPart(const RunContext& context, const Part& part, const Attempt& attempt)
    : context_(&context), part_(&part), names_(names_of(part.asked.group())) {
  for (std::size_t cell = 0; cell < part.cells.size(); ++cell) {
    const WorkItem& work = part.cells[cell];
    std::vector<Question> questions = open_questions(context, work, part.asked.group());
    if (attempt.says_warnings && attempt.from == 0 && !attempt.is_again) {
      const std::string warning = context.work.short_warning(work, questions);
      if (!warning.empty()) context.progress.warn(warning);
    }
    const std::int64_t known = work.samples - attempt.from - std::ssize(questions);
    if (known > 0 && !attempt.is_again)
      context.progress.advance(part.sample_costs[cell] * static_cast<double>(known), work.label);
    add(cell, std::move(questions));
  }
}

void OpenPart::add(std::size_t cell, std::vector<Question> questions) {
  cell_of_.insert(cell_of_.end(), questions.size(), cell);
  std::move(questions.begin(), questions.end(), std::back_inserter(questions_));
}

bool OpenPart::has_record(std::size_t question, std::size_t variant) const {
  const reports::Record& record_template = questions_[question].record_template;
  return context_->journal.has(part_->asked.group().variants[variant].fingerprint,
                               record_template.kind, record_template.task, record_template.length,
                               record_template.index);
}

RequestList OpenPart::requests() {
  RequestList list{.group = part_->asked.index};
  list.stop = context_->stop;
  const TokenIds ends = stop_ids(context_->work.format(), context_->work.tokenizer());
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    Request& request = list.requests.emplace_back(request_of(questions_[i], ends));
    for (std::size_t v = 0; v < part_->asked.group().variants.size(); ++v)
      if (!has_record(i, v)) request.variants.push_back(v);
    waiting_.push_back(request.variants.size());
  }
  return list;
}

void OpenPart::record(const Answer& answer) {
  const reports::VariantInfo& variant = part_->asked.group().variants.at(answer.id.variant);
  context_->journal.append(record_of(questions_[answer.id.request], variant.fingerprint, answer));
}

void OpenPart::take(const Answer& answer) {
  const std::size_t question = answer.id.request;
  {
    const std::lock_guard guard(lock_);
    check(waiting_.at(question) > 0, "an engine gives each answer once");
    if (answer.failure && answer.failure->is_worth_another_try) {
      unread_.push_back(answer);
      return;
    }
  }
  record(answer);
  {
    const std::lock_guard guard(lock_);
    if (--waiting_[question] > 0) return;
  }
  const std::size_t cell = cell_of_[question];
  const std::string activity = part_->asked.engine().activity();
  context_->progress.advance(part_->sample_costs[cell],
                             fmt::format("{}  {}{}{}", part_->cells[cell].label, names_,
                                         activity.empty() ? "" : "  ", activity));
}

bool OpenPart::ask(bool is_alone) {
  RequestList list = requests();
  list.is_alone = is_alone;
  part_->asked.engine().answer(std::move(list), [this](const Answer& answer) { take(answer); });
  if (context_->stop.stop_requested()) return false;
  std::size_t missing = 0;
  for (const std::size_t answers : waiting_) missing += answers;
  check(missing == unread_.size(), "an engine answers every request");
  return unread_.empty();
}

void OpenPart::record_unread() {
  for (const Answer& answer : unread_) record(answer);
}

bool ask_part(const RunContext& context, const Part& part, const Attempt& attempt) {
  const bool is_alone = attempt.is_again || part.asked.engine().capabilities().lists_at_once == 1;
  {
    OpenPart open(context, part, attempt);
    if (open.ask(attempt.is_again)) return true;
    if (!is_alone || context.stop.stop_requested()) return false;
    if (part.cells.size() == 1) {
      open.record_unread();
      return true;
    }
  }
  // The cells may fit one at a time, the short ones without the longer texts of the batch.
  for (std::size_t cell = 0; cell < part.cells.size(); ++cell) {
    const WorkItem& alone = part.cells[cell];
    ask_part(context, {{alone}, part.asked, {part.sample_costs[cell]}},
             {alone.samples, attempt.is_again, /*says_warnings=*/false});
  }
  return true;
}

}  // namespace niah
