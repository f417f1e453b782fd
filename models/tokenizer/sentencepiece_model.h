// What a SentencePiece .model file says of itself, read from its protocol buffer.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace niah::models {

/// The fields of sentencepiece_model.proto (ModelProto) that decide whether words can be encoded
/// apart. The defaults are the proto's own.
struct SentencePieceModel {
  enum class PieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  struct Piece {
    std::string text;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Piece> pieces;
  bool byte_fallback = false;
  bool has_charsmap = false;  ///< a normalisation table other than identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  /// Whether the text falls apart before every run of spaces, whatever the words are: no piece has
  /// a space after another character, a space is never unknown (neighbouring unknowns fuse), and
  /// normalisation leaves characters alone. Then no merge and no piece of a best segmentation
  /// crosses such a place, and the ids of the text are the ids of its words.
  bool splits_at_spaces() const;
};

/// Reads a serialized ModelProto. Throws DataError naming `file` when the bytes are not one.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes,
                                             const std::filesystem::path& file);

/// The model with its dummy prefix (the space put before every text) switched off.
std::string without_dummy_prefix(std::string_view model_bytes);

}  // namespace niah::models
