// A diagnosis as tables.
#pragma once

#include <vector>

#include "reports/diagnosis/diagnosis.h"
#include "reports/draw/table.h"

namespace niah::reports {

/// Drift by layer; drift by tensor; routing by head; attention by head. Without data a table has no
/// rows.
Table layer_table(const Diagnosis& diagnosis);
Table tensor_table(const Diagnosis& diagnosis);
Table routing_table(const Diagnosis& diagnosis);
Table attention_table(const Diagnosis& diagnosis);

/// Those of the tables above that have rows.
std::vector<Table> diagnosis_tables(const Diagnosis& diagnosis);

}  // namespace niah::reports
