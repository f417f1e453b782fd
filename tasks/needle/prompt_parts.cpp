#include "tasks/needle/prompt_parts.h"

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
    text += haystack_text_->text(part.begin, part.end);
  }
  return text;
}

std::int64_t PromptParts::count_tokens() const {
  if (haystack_text_->counter().counts_add()) return count_joints();
  return haystack_text_->counter().count(render());
}

std::int64_t PromptParts::count_joints() const {
  const TokenCounter& counter = haystack_text_->counter();
  std::int64_t tokens = counter.special_tokens();
  std::string joint;
  for (const auto& part : parts_) {
    joint += part.literal;
    const HaystackText::SplitPoint* first = haystack_text_->first_cut(part.begin, part.end);
    if (!first) {
      joint += haystack_text_->text(part.begin, part.end);
      continue;
    }
    const HaystackText::SplitPoint* last = haystack_text_->last_cut(part.begin, part.end);
    joint += haystack_text_->text_before(part.begin, *first);
    tokens += counter.count_bare(joint) + last->tokens - first->tokens;
    joint = haystack_text_->text_after(*last, part.end);
  }
  return tokens + counter.count_bare(joint);
}

}  // namespace niah::tasks
