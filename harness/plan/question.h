// What a model is asked: a sample or a problem as a prompt, with what is expected of the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harness/config/sweep.h"
#include "harness/engine/prompt_format.h"
#include "harness/engine/request.h"
#include "models/tokenizer/prompt_encoder.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"
#include "tasks/protocol.h"
#include "tasks/reasoning/reasoning_set.h"

namespace niah {

/// A prompt with what is expected, in text and in ids.
struct Question {
  reports::Record
      record_template;  ///< everything of the record that is known before the model answers
  std::function<std::string()> prompt;  ///< its text, made anew on each call
  std::function<std::string()> framed;  ///< ... framed, as `ids` encode it
  /// ... without frame and answer prefix, for an engine that frames prompts itself
  std::function<std::string()> bare;
  std::string system;         ///< the system turn of a chat; empty: none
  std::string answer_prefix;  ///< the start of the answer, where the format gives it
  std::string expected_text;  ///< the text of the draft
  PromptIds ids;              ///< the prompt as the model reads it
  TokenIds draft;             ///< expected continuation; empty if it would merge with the prompt
  std::int64_t max_new_tokens = 0;       ///< of the answer
  std::int64_t max_thinking_tokens = 0;  ///< of the thought before it
  bool stop_when_decided = true;
  /// "<think>" if the prompt opens a thought, else empty; put in front of the output.
  std::string open_thought;
  /// How a reasoning answer is read; null for needles.
  std::shared_ptr<const tasks::ReasoningSet> set;
  tasks::ReasoningProblem problem;

  /// Tokens that may be generated in all.
  std::int64_t room() const { return max_thinking_tokens + max_new_tokens; }
  /// Tokens of the prompt and of all that may be read after it.
  std::int64_t longest() const {
    return static_cast<std::int64_t>(ids.size() + draft.size()) + room();
  }
};

/// Sample `ordinal` of `cell` as a question. `cell` and `format` must outlive it. `encoder` must be
/// of `tokenizer`; use one for all samples of a cell. The record's lengths include the format's
/// overhead.
Question needle_question(const tasks::Cell& cell, std::int64_t ordinal, const PromptFormat& format,
                         const models::Tokenizer& tokenizer, models::PromptEncoder& encoder,
                         const GenerationConfig& generation);

/// Problem `index` of a reasoning set as a question. With the raw format, the draft is the worked
/// solution.
Question reasoning_question(std::shared_ptr<const tasks::ReasoningSet> set, std::int64_t index,
                            const PromptFormat& format, const models::Tokenizer& tokenizer,
                            const ReasoningConfig& reasoning, const GenerationConfig& generation);

}  // namespace niah
