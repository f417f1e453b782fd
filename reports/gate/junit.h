// The verdict as JUnit XML, for CI servers.
#pragma once

#include <string>

#include "reports/gate/gate.h"
#include "reports/gate/verdicts.h"

namespace niah::reports {

/// One test case per cell and per depth band: a regression is a failure, a cell that was not
/// measured an error, an inconclusive cell is skipped.
std::string junit_xml(const Verdict& verdict, const std::string& suite);

/// A suite of such cases for each comparison; with more than one, its name has the baseline.
std::string junit_xml(const Verdicts& verdicts, const std::string& suite);

/// One test case that is an error: the comparison was refused, for this reason.
std::string junit_of_refusal(const std::string& reason, const std::string& suite,
                             const std::string& page = "");

}  // namespace niah::reports
