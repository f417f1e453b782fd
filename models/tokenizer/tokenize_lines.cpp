#include "models/tokenizer/tokenize_lines.h"

#include <fmt/format.h>

#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "harness/base/error.h"
#include "models/tokenizer/utf8.h"

namespace niah::models {
namespace {

std::string parse_text(const std::string& line) {
  try {
    return nlohmann::json::parse(line).get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    throw DataError("expected a JSON string: " + one_line(error.what()));
  }
}

std::string tokenize_line(const std::string& line, const Tokenizer& tokenizer) {
  // ASCII only: U+2028 and the like in the text must not look like line ends to a reader.
  constexpr bool kAscii = true;
  const std::vector<TokenId> ids = tokenizer.encode(parse_text(line));
  return fmt::format("{{\"ids\":{},\"text\":{}}}\n", nlohmann::json(ids).dump(),
                     nlohmann::json(tokenizer.decode(ids)).dump(-1, ' ', kAscii));
}

}  // namespace

void tokenize_lines(std::istream& in, std::ostream& out, const Tokenizer& tokenizer) {
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    try {
      out << tokenize_line(line, tokenizer);
    } catch (const DataError& error) {
      throw DataError(fmt::format("tokenizing line {} of the input: {}", number, error.what()));
    }
  }
  out.flush();
}

}  // namespace niah::models
