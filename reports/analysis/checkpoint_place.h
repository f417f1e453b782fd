// Where a variant's checkpoint was, by the config of its run.
#pragma once

#include <string>

#include "reports/record.h"

namespace niah::reports {

/// The checkpoint of a variant in the config of its run: a folder, or a folder and an adapter.
/// Empty where it is not found: the config is shown, never relied on.
std::string checkpoint_of(const RunInfo& run, const VariantInfo& variant);

}  // namespace niah::reports
