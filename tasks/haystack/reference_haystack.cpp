#include "tasks/haystack/reference_haystack.h"

#include <fmt/format.h>

#include <utility>

#include "harness/base/error.h"
#include "tasks/needle/protocols.h"
#include "tasks/needle/templates.h"
#include "tasks/unicode.h"

namespace niah::tasks {
namespace {

/// The corpus `times` times, joined by spaces.
std::string repeat(const std::string& corpus, std::int64_t times) {
  std::string text = corpus;
  for (std::int64_t i = 1; i < times; ++i) text.append(" ").append(corpus);
  return text;
}

}  // namespace

ReferenceHaystack::ReferenceHaystack(const ProtocolSpec& spec, const TokenCounter& counter,
                                     CorpusRules rules)
    : spec_(spec), counter_(counter), rules_(std::move(rules)), lines_("\n", counter) {}

void ReferenceHaystack::prepare(const Task& task, std::int64_t units) {
  switch (task.haystack) {
    case HaystackType::kText:
      return prepare_text(task, units);
    case HaystackType::kLines:
      while (lines_.size() < units) lines_.append(kRepeatedLine);
      return;
    case HaystackType::kDistractors:
      return;
  }
}

void ReferenceHaystack::prepare_text(const Task& task, std::int64_t words) {
  if (text_ && (!rules_.repeats || text_->words() >= words)) return;
  const auto& haystack = require_haystack(spec_, task.name);
  if (haystack.documents().empty()) {
    throw UsageError(fmt::format(
        "task {}: protocol {} counts the words of a text, but haystack {} is made as it is read. "
        "Use kind essays, text or kjv, or protocol niah.",
        task.name, spec_.protocol, haystack.name()));
  }
  const auto corpus =
      collapse_white_space(fmt::format("{}", fmt::join(haystack.documents(), rules_.joint)));
  if (!text_) {
    text_ = std::make_shared<const ReferenceText>(corpus, counter_);
    corpus_words_ = text_->words();
  }
  if (!rules_.repeats || corpus_words_ >= words) return;
  const std::int64_t times = (words + corpus_words_ - 1) / corpus_words_;
  text_ = std::make_shared<const ReferenceText>(repeat(corpus, times), counter_);
}

}  // namespace niah::tasks
