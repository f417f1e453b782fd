// Fuzz target: arbitrary bytes as a SentencePiece model. A file that our reader accepts must
// not crash the library, which trusts its input.
#include "models/tokenizer/sentencepiece_model.h"
#include "models/tokenizer/sentencepiece_tokenizer.h"
#include "tests/fuzz/support.h"

NIAH_FUZZ_TARGET(sentencepiece) {
  const std::string_view bytes = niah::fuzz::as_text(data, size);
  niah::fuzz::expect_result_or_error([&] {
    const auto model = niah::models::parse_sentencepiece_model(bytes, "fuzz/tokenizer.model");
    (void)model.splits_at_spaces();
    const niah::fuzz::MemoryFile file(bytes);
    const auto tokenizer = niah::models::open_sentencepiece(file.path());
    const auto ids = tokenizer->encode("the work, \u00e9 42");
    niah::fuzz::require(tokenizer->count("the work, \u00e9 42") ==
                        static_cast<std::int64_t>(ids.size()));
    (void)tokenizer->decode_output(ids);
  });
  return 0;
}
