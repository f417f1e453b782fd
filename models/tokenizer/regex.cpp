#include "models/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <stdexcept>

#include "harness/base/error.h"

namespace niah::models {
namespace {

std::string message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;
  ~Code() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }

  /// Runs the JIT-compiled matcher, or the interpreter if the JIT stack is too small.
  int match(std::string_view text, std::size_t from, pcre2_match_data* data) const {
    const auto* bytes = reinterpret_cast<PCRE2_SPTR>(text.data());
    const int found = pcre2_match(code, bytes, text.size(), from, PCRE2_NO_UTF_CHECK, data, limits);
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    return pcre2_match(code, bytes, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                       limits);
  }
};

Regex::Regex(std::string_view pattern, std::uint32_t most_steps) : code_(std::make_unique<Code>()) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code_->code == nullptr) throw std::invalid_argument(message(error));
  std::uint32_t matches_empty = 0;
  pcre2_pattern_info(code_->code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) throw std::invalid_argument("the pattern can match the empty string");
  code_->limits = pcre2_match_context_create(nullptr);
  check(code_->limits != nullptr, "memory for a regular expression");
  pcre2_set_match_limit(code_->limits, most_steps);
  // If this fails because the processor has no JIT support, matching uses the interpreter.
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

void Regex::for_each_match(std::string_view text,
                           const std::function<void(std::size_t, std::size_t)>& visit) const {
  const MatchData data(pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  check(data != nullptr, "memory for a regular expression match");
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
  for (std::size_t at = 0; at < text.size();) {
    const int found = code_->match(text, at, data.get());
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0) {
      throw DataError(
          fmt::format("splitting a text of {} bytes by the tokenizer's pattern, at byte {}: {}",
                      text.size(), at, message(found)));
    }
    visit(bounds[0], bounds[1]);
    at = bounds[1];
  }
}

}  // namespace niah::models
