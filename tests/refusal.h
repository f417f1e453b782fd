// What a test asks of work that has to be refused.
#pragma once

#include <string>

#include "harness/base/error.h"

namespace niah {

/// The message of the `Expected` that `work` throws, or "accepted" where it throws nothing.
/// Whatever else it throws goes on to the test.
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
