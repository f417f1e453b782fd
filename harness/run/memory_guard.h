// Running out of memory as something that can happen, not as an error.
#pragma once

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

namespace niah {

/// Whether libtorch says with this error that memory ran out: on the CPU it has no type of its own.
inline bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string_view(error.what_without_backtrace()).find("DefaultCPUAllocator") !=
             std::string_view::npos;
}

/// Calls `work`; false when memory did not suffice for it. Other errors pass through.
template <typename Work>
bool fits_in_memory(const Work& work) {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  } catch (const c10::Error& error) {
    if (!is_out_of_memory(error)) throw;
    return false;
  }
}

}  // namespace niah
