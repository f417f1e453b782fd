// Fuzz target: arbitrary bytes as a tokenizer_config.json.
#include "models/tokenizer/tokenizer_config.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(tokenizer_config) {
  niah::fuzz::expect_result_or_error([&] {
    const auto config = niah::models::parse_tokenizer_config(niah::fuzz::as_text(data, size),
                                                             "fuzz/tokenizer_config.json");
    (void)config.puts_bos();
    for (std::size_t i = 1; i < config.added_tokens.size(); ++i)
      niah::fuzz::require(config.added_tokens[i - 1].id < config.added_tokens[i].id);
  });
  return 0;
}
