// A diagnosis in words.
#pragma once

#include <string>
#include <vector>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// The findings in sentences.
std::vector<std::string> diagnosis_in_words(const Diagnosis& diagnosis);

}  // namespace niah::reports
