// The verdict as JSON, for programs.
#pragma once

#include <string>

#include "reports/gate/gate.h"
#include "reports/gate/verdicts.h"

namespace niah::reports {

/// One object: "exit_code", "verdict" (pass, regression, inconclusive, not measured), the two
/// sides, all cells with the indexes of the samples that were lost and gained, the depth bands that
/// lost recall, and the notes. Shares are from 0 to 1.
std::string verdict_json(const Verdict& verdict);

/// The same for several comparisons: "exit_code" and "verdict" of the worst, and in "comparisons"
/// an object for each.
std::string verdict_json(const Verdicts& verdicts);

/// The same for a comparison that was refused: "verdict" is "refused", and "reason" says why.
std::string json_of_refusal(const std::string& reason, ExitCode code, const std::string& page = "");

}  // namespace niah::reports
