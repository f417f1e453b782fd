// JUnit XML, which every build server reads.
#pragma once

#include <string>

#include "reports/gate/gate.h"

namespace niah::reports {

/// One test case a cell and a depth band: a regression is a failure, what could not be measured an
/// error, what the evidence does not decide is skipped. Never more green than the verdict.
std::string junit_xml(const Verdict& verdict, const std::string& suite);

}  // namespace niah::reports
