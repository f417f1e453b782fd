// One question to one variant, scored: the step from a model's output to a record.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "harness/config/sweep.h"
#include "harness/run/prefix_schedule.h"
#include "models/decode.h"
#include "models/tokenizer/prompt_encoder.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"
#include "tasks/corpus/word_problem.h"
#include "tasks/protocol.h"

namespace niah {

/// A prompt with what is expected, in text and in ids.
struct Question {
  reports::Record blank;  ///< everything of the record that is known before the model answers
  std::function<std::string()> prompt;  ///< its text, made again when it is needed
  std::string expected_text;            ///< what the draft spells
  PromptIds ids;                        ///< the prompt as the model reads it
  TokenIds draft;  ///< expected continuation; empty where it cannot be spelled in ids
  std::int64_t max_new_tokens = 0;
  bool stop_when_decided = true;
};

/// Sample `ordinal` of `cell`, which outlives the question. `encoder` is `tokenizer`'s; samples of
/// one cell go through one.
Question needle_question(const tasks::Cell& cell, std::int64_t ordinal,
                         const models::Tokenizer& tokenizer, models::PromptEncoder& encoder,
                         const GenerationConfig& generation);

/// Problem `index` of the held-out reasoning probe as a question. The draft is the worked solution.
Question reasoning_question(std::uint64_t seed, std::int64_t index,
                            const models::Tokenizer& tokenizer, const ReasoningConfig& reasoning);

/// Asks one variant. `reader` stands where the prompt's last `tail` tokens begin. Running out of
/// memory and non-finite logits become outcomes of the record, not errors.
reports::Record ask(models::Reader& reader, std::size_t variant, const std::string& fingerprint,
                    const std::vector<std::int64_t>& eos_ids, const Question& question,
                    const TokenIds& tail, const models::Tokenizer& tokenizer);

}  // namespace niah
