// The byte-level BPE tokenizers of Hugging Face checkpoints (GPT-2, Llama 3, Qwen 2 and 3).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/tokenizer/added_vocabulary.h"
#include "models/tokenizer/bpe_model.h"
#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// The parts of a byte-level BPE tokenizer.
struct BpeParts {
  std::filesystem::path file;  ///< for error messages
  BpeModel model;
  PreTokenizer pre_tokenizer;
  Normalization normalization = Normalization::kNone;
  std::vector<AddedToken> added_tokens;  ///< with their ids
  bool split_special_tokens = false;     ///< special tokens in a text are encoded as plain text
  std::vector<TokenId> prefix_ids, suffix_ids;
  std::optional<TokenId> eos_id;
  std::string sha256;
};

/// Makes a tokenizer of its parts. Throws DataError naming the file if two tokens share an id, or a
/// prefix or suffix id is not in the vocabulary.
std::shared_ptr<const Tokenizer> make_bpe_tokenizer(BpeParts parts);

}  // namespace niah::models
