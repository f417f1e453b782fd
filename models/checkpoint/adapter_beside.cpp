#include "models/checkpoint/adapter_beside.h"

#include <fmt/format.h>

#include "harness/base/path_kind.h"
#include "models/checkpoint/adapter_config.h"

namespace niah::models {

std::string adapter_beside(const CheckpointPath& path) {
  if (path.has_adapter() || !is_listed(path.folder / kAdapterConfig)) return "";
  return fmt::format(
      "{} holds a PEFT adapter beside its weights ({}): the weights alone are read, the adapter is "
      "left out; to put it on top, name its base as the checkpoint and this folder as the adapter "
      "(--adapter, or {{base: ..., adapter: ...}} in a sweep)",
      path.folder.string(), kAdapterConfig);
}

}  // namespace niah::models
