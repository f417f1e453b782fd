// Helper for tests of work that must be refused.
#pragma once

#include <string>

#include "harness/base/error.h"

namespace niah {

/// The message of the `Expected` exception that `work` throws, or "accepted" if it throws nothing.
/// Other exceptions pass through.
template <typename Expected = DataError, typename Work>
std::string refusal_of(const Work& work) {
  try {
    work();
  } catch (const Expected& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace niah
