// Variable tracking: a chain of assignments among lines of filler, and the question which variables
// have the value of the first one.
#pragma once

#include <memory>

#include "tasks/synthetic/program.h"

namespace niah::tasks {

/// tasks/ruler/vt_utils.py of lm-eval 0.4.13.
std::unique_ptr<const SyntheticProgram> lm_eval_variable_tracking(const SyntheticRequest& request,
                                                                  ReferenceStreams& streams);
/// RULER's scripts/data/synthetic/variable_tracking.py.
std::unique_ptr<const SyntheticProgram> ruler_variable_tracking(const SyntheticRequest& request,
                                                                ReferenceStreams& streams);

}  // namespace niah::tasks
