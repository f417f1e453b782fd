// Which tables a report has.
#pragma once

#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"
#include "reports/draw/table.h"

namespace niah::reports {

/// Task x length rows; recall, n and Wilson's interval of each variant.
Table summary_table(const Results& results);

/// The same with one column a variant, for the terminal: recall in percent, n where it is not the
/// same in the whole row.
Table compact_summary_table(const Results& results);

/// Recall by depth band, a row a variant and length.
Table depth_table(const Results& results, const std::string& task);

/// Which cells a recovery table has.
enum class RecoveryRows {
  kAll,
  kLosses,  ///< only where the fine-tune measurably lost recall
};

/// What restorations brought back, cell by cell.
Table recovery_table(const Results& results, const Analysis& analysis, RecoveryRows rows);

/// Every paired comparison with its test.
Table comparison_table(const Results& results, const Analysis& analysis);

/// How likely the right value was, answered or not: mean log-probability and median rank by cell.
Table value_table(const Results& results);

/// The classes of the run's misses: those that say something about retrieval, then the others.
std::vector<std::string> miss_classes_of(const Results& results);

/// Why answers missed, and what could not be measured.
Table miss_table(const Results& results);

/// Reasoning sets x variants.
Table reasoning_table(const Results& results);

/// Trends by length and depth, and effective lengths.
Table trend_table(const Results& results, const Analysis& analysis);

/// The longest context at which each variant still recalls, task by task.
Table effective_table(const Results& results, const Analysis& analysis);

/// Served variants against their checkpoints, a row a cell; where there are several cells, one more
/// for all together.
Table served_table(const Results& results, const Analysis& analysis);

/// The same with few columns, for the terminal.
Table compact_served_table(const Results& results, const Analysis& analysis);

/// The same by depth of the needle, all cells together.
Table served_depth_table(const Results& results, const Analysis& analysis);

/// Published figures of the run's models beside the same cells of this run.
Table published_table(const Results& results);

/// Every cell on a row of its own, for further analysis; lengths and shares as plain numbers.
Table cell_table(const Results& results);

/// Every variant, task, length and depth that was asked for on a row of its own.
Table depth_point_table(const Results& results);

/// A run's tables in the order of the report; those without a row are left out. The last two are
/// cell_table and depth_point_table.
std::vector<Table> all_tables(const Results& results, const Analysis& analysis);

}  // namespace niah::reports
