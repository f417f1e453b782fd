// The gate's verdict in the words that Markdown, terminal and page share.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "reports/draw/table.h"
#include "reports/gate/gate.h"

namespace niah::reports {

/// The outcomes of cells in the order in which they are shown.
inline constexpr std::array kWorstFirst = {GateOutcome::kRegression, GateOutcome::kNotMeasured,
                                           GateOutcome::kInconclusive, GateOutcome::kPass};

/// The cells of one outcome; those that lost recall by size of their loss.
std::vector<const GateCell*> cells_of(const Verdict& verdict, GateOutcome outcome);

/// Depth bands that lost recall, as they are shown: by size of their loss, and as one where the
/// loss is even over depth, that is, larger than what is tolerated in every band.
std::vector<GateBand> shown_bands(const Verdict& verdict);

/// "100.0 → 40.0", in percent; a gap where there are no pairs.
std::string recall_change(const PairCounts& pairs);

/// "zoo base S3 at depth 0–10 %, all lengths".
std::string whole_band_name(const GateBand& band);

/// "zoo base S3 at 64K".
std::string cell_name(const GateCell& cell);

/// "Recall was lost".
std::string gate_headline(const Verdict& verdict);

/// "4 cells: 2 regressions, 2 pass".
std::string gate_tally(const Verdict& verdict);

/// When a cell or band fails, and what n would have shown.
std::string gate_rules(const Verdict& verdict);

/// What was compared with what; nothing where the two places are not known.
std::vector<std::string> side_lines(const Verdict& verdict);

/// All cells, and the depth bands that lost recall, worst first.
Table gate_table(const Verdict& verdict);

}  // namespace niah::reports
