#include "harness/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "harness/base/utf8.h"

namespace niah {
namespace {

/// Where a line's text goes on below: at the text that a gap of spaces sets off, if that leaves
/// room enough, or else two to the right of where it begins.
std::size_t hanging_indent(std::string_view line, std::size_t width) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t gap = line.find("  ", begin);
  const std::size_t text = gap == line.npos ? line.npos : line.find_first_not_of(' ', gap);
  const std::size_t at = text == line.npos ? begin + 2 : count_code_points(line.substr(0, text));
  return 2 * at <= width ? at : begin + 2;
}

std::string fit_line(std::string_view line, std::size_t width) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view words = line.substr(begin);
  const bool is_command = words.starts_with("niah ");
  if (is_command || count_code_points(line) <= width) return std::string(line);
  const std::string indent(hanging_indent(line, width), ' ');
  const std::string lead(line.substr(0, begin));
  return lead + wrap(words, width, indent, begin);
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::string valid_utf8(std::string_view text) {
  if (find_invalid_utf8(text) == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Sequence sequence = utf8_sequence_at(text, i);
    if (sequence.is_complete) {
      out += text.substr(i, sequence.size);
      i += sequence.size;
    } else {
      out += kReplacementCharacter;
      ++i;
    }
  }
  return out;
}

std::string single_line(std::string_view text) {
  std::string out;
  const std::string valid = valid_utf8(text);
  for (std::size_t i = 0; i < valid.size();) {
    const auto [value, size] = decode_at(valid, i);
    if (value == '\n')
      out += "\\n";
    else if (value == '\t')
      out += "\\t";
    else if (value < 0x20 || (value >= 0x7F && value < 0xA0))
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(value));
    else
      out += valid.substr(i, size);
    i += size;
  }
  return out;
}

std::string cut_short(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  return valid_utf8(std::string_view(text).substr(0, most)) + "...";
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

TextPlace place_of_byte(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t newline = before.rfind('\n');
  return {1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
          newline == std::string_view::npos ? before.size() + 1 : before.size() - newline};
}

std::size_t count_code_points(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), begins_code_point));
}

std::size_t byte_of_code_point(std::string_view utf8, std::int64_t index) {
  const auto at = std::find_if(utf8.begin(), utf8.end(),
                               [&](char c) { return begins_code_point(c) && index-- == 0; });
  return static_cast<std::size_t>(at - utf8.begin());
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string near = nearest_name(name, candidates);
  return near.empty() ? "" : fmt::format(", did you mean '{}'?", near);
}

namespace {

/// Whether U+FFFE or U+FFFF begins at `at`: the three-byte characters that XML 1.0 excludes.
bool is_noncharacter(std::string_view utf8, std::size_t at) {
  const std::string_view three = utf8.substr(at, 3);
  return three == "\xEF\xBF\xBE" || three == "\xEF\xBF\xBF";
}

}  // namespace

std::string wrap(std::string_view utf8, std::size_t width, std::string_view indent,
                 std::size_t column) {
  std::string out;
  std::size_t used = column;
  while (!utf8.empty()) {
    const std::string_view word = utf8.substr(0, utf8.find(' '));
    utf8.remove_prefix(std::min(word.size() + 1, utf8.size()));
    const std::size_t size = count_code_points(word);
    if (!out.empty() && used + 1 + size > width) {
      out += "\n" + std::string(indent);
      used = indent.size();
    } else if (!out.empty()) {
      out += ' ';
      ++used;
    }
    out += word;
    used += size;
  }
  return out;
}

std::string fit_lines(std::string_view utf8, std::size_t width) {
  std::string out;
  while (!utf8.empty()) {
    const std::size_t end = std::min(utf8.find('\n'), utf8.size());
    out += fit_line(utf8.substr(0, end), width);
    if (end < utf8.size()) out += '\n';
    utf8.remove_prefix(std::min(end + 1, utf8.size()));
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  const std::string valid = valid_utf8(text);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const char c = valid[i];
    if (is_noncharacter(valid, i)) {
      out += kReplacementCharacter;
      i += 2;
      continue;
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default: {
        const auto byte = static_cast<std::uint8_t>(c);
        const bool control = (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
        if (control)
          out += kReplacementCharacter;
        else
          out += c;
      }
    }
  }
  return out;
}

}  // namespace niah
