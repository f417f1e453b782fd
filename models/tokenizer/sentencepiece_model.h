// Reading the protocol buffer of a SentencePiece .model file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace niah::models {

/// The fields of sentencepiece_model.proto (ModelProto) that decide whether words can be encoded
/// separately, with the defaults of the proto.
struct SentencePieceModel {
  enum class PieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  struct Piece {
    std::string text;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Piece> pieces;
  bool byte_fallback = false;
  bool has_charsmap = false;  ///< whether there is a normalisation table other than the identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  /// Whether every text is split before every run of spaces: no piece has a space after another
  /// character, a space is never unknown (adjacent unknowns fuse), and normalisation does not
  /// change characters. Then no merge and no piece of a best segmentation crosses such a position,
  /// and the ids of the text are those of its words.
  bool splits_at_spaces() const;
};

/// Parses a serialized ModelProto. Throws DataError naming `file` if the bytes are not one.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes,
                                             const std::filesystem::path& file);

/// The serialized model without its dummy prefix, the space that is prepended to every text.
std::string without_dummy_prefix(std::string_view model_bytes);

}  // namespace niah::models
