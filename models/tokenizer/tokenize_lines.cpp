#include "models/tokenizer/tokenize_lines.h"

#include <fmt/format.h>

#include <istream>
#include <nlohmann/json.hpp>
#include <streambuf>
#include <string>

#include "harness/base/error.h"
#include "harness/base/strict_json.h"

namespace niah::models {
namespace {

std::string parse_text(const std::string& line) {
  try {
    const nlohmann::json text = parse_strict_json(line);
    if (text.is_string()) return text.get<std::string>();
    throw DataError(fmt::format("a JSON string was expected, found {}", text.type_name()));
  } catch (const JsonError& error) {
    throw DataError(fmt::format("a JSON string was expected, in quotes: {}", error.what()));
  }
}

/// Reads the next line without its end, at most its first `most` + 1 bytes; false at the end.
bool read_line(std::istream& in, std::string& line, std::size_t most) {
  line.clear();
  std::streambuf& bytes = *in.rdbuf();
  for (;;) {
    const int byte = bytes.sbumpc();
    if (byte == std::char_traits<char>::eof()) {
      in.setstate(std::ios::eofbit);
      return !line.empty();
    }
    if (byte == '\n') return true;
    line += static_cast<char>(byte);
    if (line.size() > most) return true;
  }
}

std::string tokenize_line(const std::string& line, const Tokenizer& tokenizer) {
  // ASCII only, because some readers take U+2028 and the like for line ends.
  constexpr bool kAscii = true;
  const std::vector<TokenId> ids = tokenizer.encode(parse_text(line));
  return fmt::format("{{\"ids\":{},\"text\":{}}}\n", nlohmann::json(ids).dump(),
                     nlohmann::json(tokenizer.decode(ids)).dump(-1, ' ', kAscii));
}

}  // namespace

void tokenize_lines(std::istream& in, const std::function<void(std::string_view)>& write,
                    const Tokenizer& tokenizer, std::size_t most_line_bytes) {
  std::string line;
  for (std::int64_t number = 1; read_line(in, line, most_line_bytes); ++number) {
    if (line.empty()) continue;
    try {
      if (line.size() > most_line_bytes)
        throw DataError(fmt::format("it has more than {} bytes", most_line_bytes));
      write(tokenize_line(line, tokenizer));
    } catch (const DataError& error) {
      throw DataError(fmt::format("tokenizing line {} of the input: {}", number, error.what()));
    }
  }
  if (in.bad()) throw DataError("tokenizing: the input cannot be read");
}

}  // namespace niah::models
