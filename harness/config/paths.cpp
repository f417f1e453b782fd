#include "harness/config/paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "harness/base/error.h"
#include "harness/base/text.h"

namespace niah {
namespace {

namespace fs = std::filesystem;

std::string variable(const std::string& name, std::string_view written) {
  const char* value = std::getenv(name.c_str());
  if (value != nullptr && *value != '\0') return value;
  throw UsageError(fmt::format("{}: the environment variable {} is not set", written, name));
}

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

/// The text with `~` and `${NAME}` replaced; what is neither stays as it is.
std::string expanded(std::string_view text) {
  std::string out;
  if (text == "~" || text.starts_with("~/")) {
    out = variable("HOME", "~");
    text.remove_prefix(1);
  }
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find("${"), text.size());
    const std::size_t end = text.find('}', begin);
    out += text.substr(0, begin);
    text.remove_prefix(begin);
    if (end == text.npos) return out += text;
    const std::string_view written = text.substr(0, end + 1 - begin);
    const std::string_view name = written.substr(2, written.size() - 3);
    out += is_name(name) ? variable(std::string(name), written) : std::string(written);
    text.remove_prefix(written.size());
  }
  return out;
}

}  // namespace

fs::path resolve(const fs::path& base, const std::string& text) {
  const fs::path path = expanded(text);
  return (path.is_absolute() ? path : base / path).lexically_normal();
}

fs::path path_at(YamlMap& map, const std::string& key, const fs::path& base) {
  const std::string text = map.text(key);
  return at_its_place(map, key, [&] { return resolve(base, text); });
}

}  // namespace niah
