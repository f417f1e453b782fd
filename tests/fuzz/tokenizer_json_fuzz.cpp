// libFuzzer target: arbitrary bytes as a tokenizer.json. Only DataError may be thrown.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "harness/base/error.h"
#include "models/tokenizer/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = niah::models::parse_tokenizer_json(text, {}, "fuzz/tokenizer.json");
    const auto ids = tokenizer->encode_prompt("the 12 th\u00e9 <e> e\u0301\n");
    tokenizer->decode(ids);
  } catch (const niah::DataError&) {
  }
  return 0;
}
