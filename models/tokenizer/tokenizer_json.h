// Reading tokenizer.json, the format of Hugging Face tokenizers, and the older vocab.json +
// merges.txt.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/tokenizer_config.h"

namespace niah::models {

/// Makes the byte-level BPE tokenizer that the text of a tokenizer.json describes; `config` may
/// name an EOS token and add tokens. Nothing is skipped or approximated: throws DataError naming
/// `file` and the JSON path of anything invalid or not supported.
std::shared_ptr<const Tokenizer> parse_tokenizer_json(std::string_view text,
                                                      const TokenizerConfig& config,
                                                      const std::filesystem::path& file);

/// Makes the tokenizer of `folder`/vocab.json and merges.txt. These files do not say how to split
/// and normalise texts, so `config` must name a tokenizer_class for which that is known
/// (GPT2Tokenizer, Qwen2Tokenizer). Throws DataError like parse_tokenizer_json.
std::shared_ptr<const Tokenizer> read_vocab_and_merges(const std::filesystem::path& folder,
                                                       const TokenizerConfig& config);

}  // namespace niah::models
