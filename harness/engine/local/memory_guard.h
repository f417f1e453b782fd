// Treats running out of memory as an outcome, not as an error.
#pragma once

#include <exception>

namespace niah {

/// Whether an error means that memory ran out. Not every library has a type for it: libtorch's CPU
/// allocator and oneDNN only have messages, and a thread that finds no memory for its stack is a
/// std::system_error.
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
