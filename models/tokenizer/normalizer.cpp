#include "models/tokenizer/normalizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "harness/base/error.h"
#include "harness/base/utf8.h"
#include "models/tokenizer/unicode_tables.h"

namespace niah::models {
namespace {

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

bool is_inert(char32_t code_point) {
  const auto ranges = inert_in_reference();
  const auto at =
      std::partition_point(ranges.begin(), ranges.end(),
                           [&](const CodePointRange& range) { return range.last < code_point; });
  return at != ranges.end() && at->first <= code_point;
}

/// Whether NFC leaves the code point as it is, next to any other code points.
bool is_stable(char32_t code_point) {
  if (starts_normalization(code_point)) return true;
  constexpr char32_t kJamoFirst = 0x1100, kJamoLast = 0x11FF;  // composed by rule, not by table
  if (code_point >= kJamoFirst && code_point <= kJamoLast) return false;
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point));
  return property->combining_class == 0 && property->decomp_seqindex == UINT16_MAX &&
         property->comb_index == UINT16_MAX;
}

/// Appends NFC(text) according to the tables of utf8proc.
void append_composed(std::string_view text, std::string& out) {
  if (text.empty()) return;
  utf8proc_uint8_t* composed = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (size < 0) throw DataError(fmt::format("normalising a text: {}", utf8proc_errmsg(size)));
  out.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size));
}

/// Appends NFC(run) as the reference computes it: code points that are inert there split the run.
void append_normalized_run(std::string_view run, std::string& out) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < run.size();) {
    const CodePoint point = decode_at(run, at);
    if (is_inert(point.value)) {
      append_composed(run.substr(begin, at - begin), out);
      out.append(run, at, point.size);
      begin = at + point.size;
    }
    at += point.size;
  }
  append_composed(run.substr(begin), out);
}

/// End of the run that starts at `begin`: one character of any kind, then all that are not ASCII.
/// Runs can be normalised separately, because an ASCII character never combines with the one before
/// it.
std::size_t run_end(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  while (at < text.size() && !is_ascii(text[at])) ++at;
  return at;
}

bool is_stable_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (is_ascii(text[at])) {
      ++at;
      continue;
    }
    const CodePoint point = decode_at(text, at);
    if (!is_stable(point.value)) return false;
    at += point.size;
  }
  return true;
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string& buffer) {
  if (is_stable_text(text)) return text;
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = run_end(text, at);
    const std::string_view run = text.substr(at, end - at);
    if (is_stable_text(run)) {
      out.append(run);
    } else {
      append_normalized_run(run, out);
    }
    at = end;
  }
  buffer = std::move(out);
  return buffer;
}

std::string_view normalize(Normalization normalization, std::string_view text,
                           std::string& buffer) {
  return normalization == Normalization::kNfc ? to_nfc(text, buffer) : text;
}

}  // namespace niah::models
