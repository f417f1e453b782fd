// Text for shells.
#pragma once

#include <string>
#include <string_view>

namespace niah {

/// `text` as one word of a POSIX shell: in single quotes, whatever is in it.
std::string shell_quoted(std::string_view text);

}  // namespace niah
