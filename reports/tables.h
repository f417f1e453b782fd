// The tables of a report.
#pragma once

#include <vector>

#include "reports/analysis/comparisons.h"
#include "reports/analysis/results.h"
#include "reports/draw/table.h"

namespace niah::reports {

/// One row per task and length: recall, n and Wilson's interval of each variant.
Table summary_table(const Results& results);

/// The same with one column per variant, for the terminal: recall in percent, and n where it is not
/// the same in the whole row.
Table compact_summary_table(const Results& results);

/// Recall by depth band, one row per variant and length.
Table depth_table(const Results& results, const std::string& task);

/// Which cells a recovery table has.
enum class RecoveryRows {
  kAll,
  kLosses,  ///< only where the fine-tune measurably lost recall
};

/// What restorations recovered, cell by cell.
Table recovery_table(const Results& results, const Analysis& analysis, RecoveryRows rows);

/// What each part of the weights brought back, alone and left out, over all cells together, and
/// what the model with the part alone put back solves of reasoning sets.
Table attribution_table(const Results& results, const Analysis& analysis);

/// What parts brought back that were put back one after the other, one row per step.
Table path_table(const Results& results, const Analysis& analysis);

/// Every paired comparison with its test.
Table comparison_table(const Results& results, const Analysis& analysis);

/// The same for programs: plain numbers, shares in points, and nothing where there is none.
Table comparison_numbers(const Results& results, const Analysis& analysis);

/// How likely the expected value was, whether generated or not: mean log-probability and median
/// rank by cell.
Table value_table(const Results& results);

/// The classes of the run's misses: those that say something about retrieval, then the others.
std::vector<std::string> miss_classes_of(const Results& results);

/// Why answers missed, and what could not be measured.
Table miss_table(const Results& results);

/// Share of problems solved, one row per reasoning set.
Table reasoning_table(const Results& results);

/// Trends by length and depth, and effective lengths.
Table trend_table(const Results& results, const Analysis& analysis);

/// The longest context at which each variant still recalls, task by task.
Table effective_table(const Results& results, const Analysis& analysis);

/// Served variants compared with their checkpoints, one row per cell; with several cells, another
/// row for all of them together.
Table served_table(const Results& results, const Analysis& analysis);

/// The same with few columns, for the terminal.
Table compact_served_table(const Results& results, const Analysis& analysis);

/// The same by depth of the needle, over all cells.
Table served_depth_table(const Results& results, const Analysis& analysis);

/// Published figures of the run's models beside the same cells of this run.
Table published_table(const Results& results);

/// One row per cell, for further analysis; lengths and shares as plain numbers.
Table cell_table(const Results& results);

/// One row per variant, task, length and requested depth.
Table depth_point_table(const Results& results);

/// The table as people read it: of a checkpoint alone, which is a variant of nothing, the column
/// "variant" is called "checkpoint".
Table for_reading(Table table, const RunInfo& run);

/// The run's tables in report order, without empty ones; cell_table and depth_point_table come
/// last.
std::vector<Table> all_tables(const Results& results, const Analysis& analysis);

}  // namespace niah::reports
