// Sentences about a served variant and its checkpoint.
#pragma once

#include <string>
#include <vector>

#include "reports/analysis/results.h"
#include "reports/analysis/served.h"

namespace niah::reports {

/// The verdict in a sentence or two: "The server loses what the checkpoint finds: recall 61 of 100
/// against 97 of 100 on the same samples (McNemar p < 0.001)." Claims no more than the samples
/// support.
std::string served_verdict(const Results& results, const ServedComparison& comparison);

/// How far the texts agree: "Of 97 texts ...". Empty if none were compared.
std::string served_texts(const Results& results, const ServedComparison& comparison);

/// What the server did to prompts and answers, apart from recall: prompts cut, requests refused or
/// failed, answers that changed when it was asked again.
std::vector<std::string> served_remarks(const Results& results, const ServedComparison& comparison);

/// The verdict's name in results.json: "loss", "no_measurable_loss", ...
const char* served_verdict_name(ServedComparison::Verdict verdict);

}  // namespace niah::reports
