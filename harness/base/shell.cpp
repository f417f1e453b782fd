#include "harness/base/shell.h"

#include "harness/base/text.h"

namespace niah {

std::string shell_quoted(std::string_view text) {
  return "'" + replace_all(std::string(text), "'", "'\\''") + "'";
}

}  // namespace niah
