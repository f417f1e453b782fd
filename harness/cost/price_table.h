// The table of a dry run, as a terminal shows it.
#pragma once

#include <string>

#include "reports/draw/table.h"

namespace niah {

/// The name of variants in a price's row: as much of it as fits beside the figures.
std::string shown_variants(const std::string& name);

/// The table in columns; where they do not fit it goes on below, with cell and variants repeated.
std::string price_table(const reports::Table& table);

}  // namespace niah
