#include "harness/engine/local/torch_error.h"

#include <c10/util/Exception.h>

namespace niah {

std::optional<TorchError> torch_error(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  if (of_torch == nullptr) return std::nullopt;
  return TorchError{of_torch->what_without_backtrace(),
                    dynamic_cast<const c10::OutOfMemoryError*>(of_torch) != nullptr};
}

}  // namespace niah
