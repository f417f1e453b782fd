// One run compared with several baselines: the worst of the comparisons is the verdict.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reports/gate/gate.h"
#include "reports/gate/history.h"

namespace niah::reports {

/// Compared with several baselines, a run loses recall if it lost any against one of them. One
/// verdict each, made with GateOptions::comparisons; with a single one, everything is as its own.
using Verdicts = std::vector<Verdict>;

/// The first of the worst: recall lost, not measured, inconclusive, pass. There must be one.
const Verdict& worst_of(const Verdicts& verdicts);

/// gate_lines() of each, under a line that names the baseline, and the worst in the last line.
std::string gate_lines(const Verdicts& verdicts);

/// The worst in the first line, and gate_report() of each.
std::string gate_report(const Verdicts& verdicts);

/// gate_markdown() of each, under the worst in the first line. From `file`, where it will be
/// written, links count.
std::string gate_markdown(const Verdicts& verdicts, const std::filesystem::path& file = {});

/// "Recall was lost against 1 of 3 baselines: nights/2 (ended ...)"; with a single one its own
/// headline and tally.
std::string verdicts_headline(const Verdicts& verdicts);

/// With several baselines, what came of the comparison with each in a line.
std::vector<std::string> comparison_lines(const Verdicts& verdicts);

/// make_night() with the worst outcome of each cell, and against which baseline recall was lost.
GateRun make_night(const Verdicts& verdicts, const Results& current);

}  // namespace niah::reports
