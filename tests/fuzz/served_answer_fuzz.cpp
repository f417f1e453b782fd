// Fuzz target: arbitrary bytes as a server's answer (whole, and as a stream cut anywhere) and
// as the log-probabilities of a prompt. The first byte gives the size of the pieces.
#include <algorithm>
#include <string>

#include "harness/base/utf8.h"
#include "harness/engine/served/answer_reader.h"
#include "harness/engine/served/wire.h"
#include "tests/fuzz/support.h"

namespace {

using niah::fuzz::require;
using niah::served::AnswerReader;

constexpr std::int64_t kRoom = 20;

bool is_utf8(const std::string& text) {
  return niah::find_invalid_utf8(text) == std::string_view::npos;
}

bool is_line(const std::string& words) {
  return is_utf8(words) && words.size() < 1000 && words.find('\n') == std::string::npos;
}

AnswerReader read(std::string_view bytes, std::size_t piece) {
  AnswerReader reader({.max_tokens = kRoom, .stops = {"<|im_end|>"}, .is_decided = [](auto text) {
                         require(is_utf8(std::string(text)));
                         return text.find("1234567") != std::string_view::npos;
                       }});
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!reader.take(bytes.substr(at, piece))) return reader;
  reader.finish();
  return reader;
}

void read_answer(std::string_view bytes, std::size_t piece) {
  const AnswerReader reader = read(bytes, piece);
  require(is_utf8(reader.text()) && is_line(reader.fault()));
  require(is_line(reader.model()) && is_line(reader.system_fingerprint()));
  require(!reader.error() || is_line(reader.error()->words));
  require(reader.prompt_tokens().value_or(1) > 0 && reader.completion_tokens().value_or(0) >= 0);
  require(reader.text().find("<|im_end|>") == std::string::npos);
  // The result is an answer, an error or a fault, and does not depend on where the stream was cut.
  require(reader.is_whole() == (reader.fault().empty() && !reader.error()));
  const AnswerReader other = read(bytes, bytes.size() + 1);
  require(other.is_whole() == reader.is_whole());
  require(!reader.is_whole() || reader.is_decided() || other.text() == reader.text());
}

void read_score(std::string_view bytes) {
  const niah::served::Expected expected{{8, 9}, " 12"};
  const niah::served::WirePrompt prompts[] = {niah::PromptIds{5, 6}, "The value",
                                              niah::served::Chat{"", "The value?", ""}};
  for (const auto& prompt : prompts)
    for (const char* how : {"echo", "prompt_logprobs"}) {
      try {
        const auto score = niah::served::parse_score(bytes, prompt, expected, how);
        require(score.log_prob <= 0 && score.rank.value_or(1) > 0);
      } catch (const niah::served::BadAnswer& bad) {
        require(*bad.what() != '\0');
      }
    }
}

}  // namespace

NIAH_FUZZ_TARGET(served_answer) {
  if (size == 0) return 0;
  const std::string_view bytes = niah::fuzz::as_text(data + 1, size - 1);
  read_answer(bytes, std::max<std::size_t>(1, data[0]));
  read_score(bytes);
  require(is_line(niah::served::parse_error(bytes).words));
  return 0;
}
