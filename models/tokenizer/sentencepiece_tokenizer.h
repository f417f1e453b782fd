// Tokenizers of SentencePiece .model files. The SentencePiece library encodes them, word by word
// if that gives the same ids.
#pragma once

#include <memory>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// How a SentencePiece tokenizer encodes.
enum class WordCaching {
  kWhereExact,  ///< each word is encoded once and cached, if the model allows it (splits_at_spaces)
  kNever,       ///< the library encodes every text as a whole
};

/// Opens a .model file, and tokenizer_config.json in the same folder if there is one. As in
/// SentencePiece itself, control symbols are not recognised in texts and decode to nothing. Throws
/// DataError naming the file and what is wrong with it.
///
/// A unigram model chooses the segmentation with the best sum of 32-bit scores, accumulated from
/// the start of the text. Encoding words separately differs only in the rounding of that sum.
std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& model_file,
                                                    WordCaching caching = WordCaching::kWhereExact);

}  // namespace niah::models
