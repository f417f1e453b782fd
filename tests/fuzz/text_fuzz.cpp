// Fuzz target: small text functions: lengths, similar names, UTF-8, HTML.
#include <algorithm>

#include "harness/base/text.h"
#include "harness/base/units.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(text) {
  const std::string_view text = niah::fuzz::as_text(data, size);
  if (const auto length = niah::parse_length(text)) {
    niah::fuzz::require(*length > 0);
    niah::fuzz::require(niah::parse_length(niah::format_length(*length)) == length);
  }
  const std::string valid = niah::valid_utf8(text);
  niah::fuzz::require(niah::valid_utf8(valid) == valid);
  const std::size_t points = niah::count_code_points(valid);
  niah::fuzz::require(niah::byte_of_code_point(valid, static_cast<std::int64_t>(points)) ==
                      valid.size());
  const std::string escaped = niah::escape_html(text);
  niah::fuzz::require(escaped.find_first_of("<>\"'") == std::string::npos);
  niah::fuzz::require(std::none_of(escaped.begin(), escaped.end(), [](char c) {
    return c >= 0 && c < 0x20 && c != '\n' && c != '\t';
  }));
  const std::string_view word = text.substr(0, 64);
  niah::fuzz::require(niah::edit_distance(word, word) == 0);
  (void)niah::did_you_mean(word, {"samples", "seed", "runtime"});
  return 0;
}
