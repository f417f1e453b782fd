// Fuzz target: arbitrary bytes as a tokenizer.json. Only DataError may be thrown.
#include "models/tokenizer/tokenizer_json.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(tokenizer_json) {
  try {
    const auto tokenizer = niah::models::parse_tokenizer_json(niah::fuzz::as_text(data, size), {},
                                                              "fuzz/tokenizer.json");
    const auto ids = tokenizer->encode_prompt("the 12 th\u00e9 <e> e\u0301\n");
    tokenizer->decode(ids);
  } catch (const niah::DataError&) {
  }
  return 0;
}
