// SentencePiece .model files, encoded by the SentencePiece library, word by word where that gives
// the same ids.
#pragma once

#include <memory>

#include "models/tokenizer/tokenizer.h"

namespace niah::models {

/// How a SentencePiece tokenizer encodes.
enum class WordCaching {
  kWhereExact,  ///< words are encoded once where the model allows it (splits_at_spaces)
  kNever,       ///< every text goes to the library whole
};

/// Opens a .model file, with tokenizer_config.json beside it if there is one. Control symbols are
/// not recognised in texts and decode to nothing, as in SentencePiece itself. Throws DataError
/// naming the file and what is wrong with it.
///
/// A unigram model's best segmentation is a sum of 32-bit scores from the start of the text on;
/// encoding words apart leaves out only the rounding that the sum collects on the way.
std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& model_file,
                                                    WordCaching caching = WordCaching::kWhereExact);

}  // namespace niah::models
