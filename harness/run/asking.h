// Between questions and engines: a question becomes a request, an answer becomes a scored record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/engine/answer.h"
#include "harness/engine/prompt_format.h"
#include "harness/engine/request.h"
#include "harness/plan/question.h"
#include "models/tokenizer/tokenizer.h"
#include "reports/record.h"

namespace niah {

/// Tokens that end an answer, besides the model's own: the format's and the tokenizer's.
TokenIds stop_ids(const PromptFormat& format, const models::Tokenizer& tokenizer);

/// What an engine is asked; the question's ids go into it, and the question outlives it. Variants
/// are the caller's to say.
Request request_of(Question& question, const TokenIds& stop_ids);

/// Puts the beginning of an output into its record: a long thought must not make a line that no
/// reader of journals takes.
void keep_output(reports::Record& record, const std::string& output,
                 const std::vector<std::int64_t>& ids);

/// The record of what the variant with that fingerprint answered, scored.
reports::Record record_of(const Question& question, const std::string& fingerprint,
                          const Answer& answer);

}  // namespace niah
