// Errors of a restoration, told with its place in the config.
#pragma once

#include <fmt/format.h>

#include "harness/base/error.h"
#include "harness/config/sweep.h"

namespace niah {

/// Returns restore(), which looks for what `variant` restores in its model. A UsageError that it
/// throws, as where the model has no such part, is thrown again with the variant's place.
template <typename Restore>
auto at_restore_place(const VariantConfig& variant, const Restore& restore) {
  try {
    return restore();
  } catch (const UsageError& error) {
    if (variant.restore_place.empty()) throw;
    throw UsageError(fmt::format("{}: {}", variant.restore_place, error.what()));
  }
}

}  // namespace niah
