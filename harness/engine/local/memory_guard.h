// Running out of memory as something that can happen, not as an error.
#pragma once

#include <exception>

namespace niah {

/// Whether an error says that memory ran out. Not every library has a type for it: libtorch's
/// allocator on the CPU and oneDNN say it in words, and a thread without room for its stack is an
/// error of the system.
bool is_out_of_memory(const std::exception& error);

/// Calls `work`; false when memory did not suffice for it. Other errors pass through.
template <typename Work>
bool fits_in_memory(const Work& work) {
  try {
    work();
    return true;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    return false;
  }
}

}  // namespace niah
