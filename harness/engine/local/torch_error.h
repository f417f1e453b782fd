// What libtorch's errors say. One declaration with two definitions: torch_error.cpp where the
// program is built with libtorch, no_torch_error.cpp where it is not.
#pragma once

#include <exception>
#include <optional>

namespace niah {

/// An error of libtorch's own type.
struct TorchError {
  const char* words;  ///< without the stack frames that it adds; lives as long as the error
  bool out_of_memory = false;  ///< its type says that a device's memory ran out
};

/// `error` as one of libtorch's; nullopt where it is another library's.
std::optional<TorchError> torch_error(const std::exception& error);

}  // namespace niah
