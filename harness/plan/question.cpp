#include "harness/plan/question.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "harness/base/sha256.h"

namespace niah {
namespace {

TokenIds widen(const std::vector<models::TokenId>& ids) { return {ids.begin(), ids.end()}; }

/// Ids of `continuation` after `prompt`, or none when the tokenizer would merge across the
/// boundary.
TokenIds continuation_ids(const models::Tokenizer& tokenizer, const std::string& prompt,
                          const std::string& continuation) {
  if (tokenizer.is_seam_exact(prompt, continuation)) return widen(tokenizer.encode(continuation));
  const auto alone = tokenizer.encode(prompt);
  const auto together = tokenizer.encode(prompt + continuation);
  const bool extends =
      together.size() > alone.size() && std::equal(alone.begin(), alone.end(), together.begin());
  if (!extends) return {};
  return widen({together.begin() + static_cast<long>(alone.size()), together.end()});
}

}  // namespace

Question needle_question(const tasks::Cell& cell, std::int64_t ordinal, const PromptFormat& format,
                         const models::Tokenizer& tokenizer, models::PromptEncoder& encoder,
                         const GenerationConfig& generation) {
  const tasks::Sample sample = cell.sample(ordinal);
  const std::string prompt = format.frame(sample);
  Question question;
  question.prompt = [&cell, ordinal] { return cell.sample(ordinal).prompt(); };
  question.framed = [&cell, ordinal, &format] { return format.frame(cell.sample(ordinal)); };
  question.bare = [&cell, ordinal] { return cell.sample(ordinal).input; };
  question.system = format.system();
  if (format.gives_answer_prefix()) question.answer_prefix = sample.gen_prefix;
  question.ids = format.with_bos_policy(encoder.encode_prompt(prompt));
  if (!sample.outputs.empty() && format.gives_answer_prefix()) {
    question.expected_text = sample.gen_prefix.ends_with(' ') ? "" : " ";
    question.expected_text += sample.outputs.front();
    question.draft = continuation_ids(tokenizer, prompt, question.expected_text);
  }
  // Of the tasks with less room for an answer, a longer one is cut off, as RULER does.
  const bool is_shorter = sample.answer_tokens < tasks::kGenerationTokens;
  question.max_new_tokens = is_shorter ? std::min(generation.max_new_tokens, sample.answer_tokens)
                                       : generation.max_new_tokens;
  question.max_thinking_tokens = generation.max_thinking_tokens;
  question.stop_when_decided = generation.stop_when_decided;
  question.open_thought = format.open_thought();

  reports::Record& record = question.record_template;
  record.protocol = sample.protocol;
  record.task = sample.task;
  record.length = sample.max_length + format.overhead();
  record.index = sample.index;
  record.depth = sample.depth;
  record.real_depth = sample.real_depth;
  record.prompt_tokens = static_cast<std::int64_t>(question.ids.size());
  record.real_length = sample.length + format.overhead();
  record.prompt_sha256 =
      format.is_raw() && format.gives_answer_prefix() ? sample.prompt_sha256 : sha256_hex(prompt);
  record.expected = sample.outputs;
  return question;
}

Question reasoning_question(std::shared_ptr<const tasks::ReasoningSet> set, std::int64_t index,
                            const PromptFormat& format, const models::Tokenizer& tokenizer,
                            const ReasoningConfig& reasoning, const GenerationConfig& generation) {
  Question question;
  question.problem = set->problem(index);
  question.set = std::move(set);
  const std::string bare = format.is_raw()
                               ? question.problem.prompt
                               : question.problem.question + "\n" + question.set->instruction();
  const std::string prompt = format.is_raw() ? bare : format.frame(bare, "");
  question.prompt = question.framed = [prompt] { return prompt; };
  question.bare = [bare] { return bare; };
  question.system = format.system();
  question.ids = format.with_bos_policy(tokenizer.encode_prompt(prompt));
  if (format.is_raw()) {
    question.expected_text = question.problem.solution;
    question.draft = continuation_ids(tokenizer, prompt, question.expected_text);
  }
  question.max_new_tokens = reasoning.max_new_tokens;
  question.max_thinking_tokens = generation.max_thinking_tokens;
  question.stop_when_decided = false;
  question.open_thought = format.open_thought();

  reports::Record& record = question.record_template;
  record.kind = "reasoning";
  record.task = question.set->name();
  record.index = index;
  record.prompt_tokens = static_cast<std::int64_t>(question.ids.size());
  record.real_length = record.prompt_tokens;
  record.prompt_sha256 = sha256_hex(prompt);
  record.expected = {question.problem.answer};
  return question;
}

}  // namespace niah
