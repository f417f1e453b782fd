// Connects questions and engines: turns questions into requests, and answers into scored records.
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

/// The request for a question. Moves the question's ids into it; the question must outlive it. The
/// caller fills in `variants`.
Request request_of(Question& question, const TokenIds& stop_ids);

/// Puts the beginning of an output into its record: with all of a long thought, the line would be
/// too long for readers of journals.
void keep_output(reports::Record& record, const std::string& output,
                 const std::vector<std::int64_t>& ids);

/// The scored record of an answer by the variant with that fingerprint.
reports::Record record_of(const Question& question, const std::string& fingerprint,
                          const Answer& answer);

}  // namespace niah
