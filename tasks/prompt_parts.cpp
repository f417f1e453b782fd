#include "tasks/prompt_parts.h"

namespace niah::tasks {

PromptParts& PromptParts::add(std::string_view literal) {
  if (!literal.empty()) parts_.push_back({std::string(literal), 0, 0});
  return *this;
}

PromptParts& PromptParts::add_units(std::int64_t begin, std::int64_t end) {
  if (begin < end) parts_.push_back({{}, begin, end});
  return *this;
}

std::string PromptParts::render() const {
  std::string text;
  for (const auto& part : parts_) {
    text += part.literal;
    text += filler_->text(part.begin, part.end);
  }
  return text;
}

std::int64_t PromptParts::count_tokens() const {
  if (filler_->meter().counts_add()) return count_joints();
  return filler_->meter().count(render());
}

std::int64_t PromptParts::count_joints() const {
  const TokenMeter& meter = filler_->meter();
  std::int64_t tokens = meter.special_tokens();
  std::string joint;
  for (const auto& part : parts_) {
    joint += part.literal;
    const Filler::Cut* first = filler_->first_cut(part.begin, part.end);
    if (!first) {
      joint += filler_->text(part.begin, part.end);
      continue;
    }
    const Filler::Cut* last = filler_->last_cut(part.begin, part.end);
    joint += filler_->text_before(part.begin, *first);
    tokens += meter.count_bare(joint) + last->tokens - first->tokens;
    joint = filler_->text_after(*last, part.end);
  }
  return tokens + meter.count_bare(joint);
}

}  // namespace niah::tasks
