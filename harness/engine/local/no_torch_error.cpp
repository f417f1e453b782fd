#include "harness/engine/local/torch_error.h"

namespace niah {

std::optional<TorchError> torch_error(const std::exception&) { return std::nullopt; }

}  // namespace niah
