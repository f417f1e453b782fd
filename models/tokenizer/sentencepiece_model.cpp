#include "models/tokenizer/sentencepiece_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "harness/base/error.h"
#include "models/tokenizer/charsmap.h"

namespace niah::models {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, which represents a space in pieces

/// Field numbers of sentencepiece_model.proto.
namespace field {
constexpr std::uint64_t kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3, kDenormalizerSpec = 5;
constexpr std::uint64_t kPieceText = 1, kPieceType = 3;
constexpr std::uint64_t kByteFallback = 35;
constexpr std::uint64_t kCharsmap = 2, kAddDummyPrefix = 3, kRemoveExtraWhitespaces = 4,
                        kEscapeWhitespaces = 5;
}  // namespace field

/// Iterates over the fields of one protocol buffer message.
class WireReader {
 public:
  struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  ///< varints
    std::string_view bytes;   ///< length-delimited fields
  };

  WireReader(std::string_view bytes, const std::filesystem::path& file)
      : rest_(bytes), file_(file) {}

  bool at_end() const { return rest_.empty(); }

  Field next() {
    const std::uint64_t tag = varint();
    Field out{.number = tag >> 3, .value = 0, .bytes = {}};
    switch (tag & 7) {
      case 0:
        out.value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        out.bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        fail();
    }
    return out;
  }

  [[noreturn]] void fail() const {
    throw DataError(fmt::format(
        "reading {}: not a SentencePiece model (its protocol buffer breaks off {} bytes before the "
        "end); expected the .model file that sentencepiece training writes",
        file_.string(), rest_.size()));
  }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  std::string_view rest_;
  const std::filesystem::path& file_;
};

SentencePieceModel::Piece read_piece(std::string_view bytes, const std::filesystem::path& file) {
  SentencePieceModel::Piece piece;
  for (WireReader reader(bytes, file); !reader.at_end();) {
    const auto entry = reader.next();
    if (entry.number == field::kPieceText) piece.text = entry.bytes;
    if (entry.number != field::kPieceType) continue;
    if (entry.value < 1 || entry.value > 6) reader.fail();
    piece.type = static_cast<SentencePieceModel::PieceType>(entry.value);
  }
  return piece;
}

void read_trainer(SentencePieceModel& model, std::string_view bytes,
                  const std::filesystem::path& file) {
  for (WireReader reader(bytes, file); !reader.at_end();) {
    const auto entry = reader.next();
    if (entry.number == field::kByteFallback) model.byte_fallback = entry.value != 0;
  }
}

/// Throws DataError if a normalizer_spec contains a table that is unsafe for the library.
void check_charsmap(std::string_view bytes, const std::filesystem::path& file) {
  for (WireReader reader(bytes, file); !reader.at_end();) {
    const auto entry = reader.next();
    if (entry.number != field::kCharsmap || entry.bytes.empty()) continue;
    if (is_sound_charsmap(entry.bytes)) continue;
    throw DataError(fmt::format(
        "reading {}: the model's table of character replacements ({} bytes) points outside itself; "
        "the file is damaged",
        file.string(), entry.bytes.size()));
  }
}

void read_normalizer(SentencePieceModel& model, std::string_view bytes,
                     const std::filesystem::path& file) {
  for (WireReader reader(bytes, file); !reader.at_end();) {
    const auto entry = reader.next();
    switch (entry.number) {
      case field::kCharsmap:
        model.has_charsmap = !entry.bytes.empty();
        break;
      case field::kAddDummyPrefix:
        model.add_dummy_prefix = entry.value != 0;
        break;
      case field::kRemoveExtraWhitespaces:
        model.remove_extra_whitespaces = entry.value != 0;
        break;
      case field::kEscapeWhitespaces:
        model.escape_whitespaces = entry.value != 0;
        break;
      default:
        break;
    }
  }
}

/// Whether the piece has a space after another character.
bool has_inner_space(std::string_view piece) {
  while (piece.starts_with(kSpace)) piece.remove_prefix(kSpace.size());
  return piece.find(kSpace) != std::string_view::npos || piece.find(' ') != std::string_view::npos;
}

}  // namespace

bool SentencePieceModel::splits_at_spaces() const {
  if (has_charsmap || remove_extra_whitespaces || !escape_whitespaces) return false;
  bool knows_space = byte_fallback;
  for (const auto& piece : pieces) {
    if (piece.type == PieceType::kControl || piece.type == PieceType::kUnknown) continue;
    if (has_inner_space(piece.text)) return false;
    if (piece.text == kSpace && piece.type == PieceType::kNormal) knows_space = true;
  }
  return knows_space;
}

SentencePieceModel parse_sentencepiece_model(std::string_view bytes,
                                             const std::filesystem::path& file) {
  SentencePieceModel model;
  WireReader reader(bytes, file);
  while (!reader.at_end()) {
    const auto entry = reader.next();
    switch (entry.number) {
      case field::kPieces:
        model.pieces.push_back(read_piece(entry.bytes, file));
        break;
      case field::kTrainerSpec:
        read_trainer(model, entry.bytes, file);
        break;
      case field::kNormalizerSpec:
        check_charsmap(entry.bytes, file);
        read_normalizer(model, entry.bytes, file);
        break;
      case field::kDenormalizerSpec:
        check_charsmap(entry.bytes, file);
        break;
      default:
        break;
    }
  }
  if (model.pieces.empty()) reader.fail();
  return model;
}

std::string without_dummy_prefix(std::string_view model_bytes) {
  // Protocol buffer parsers merge concatenated messages, and the last value of a field wins: so
  // append a normalizer_spec that only has add_dummy_prefix = false.
  constexpr char kOverride[] = {field::kNormalizerSpec << 3 | 2, 2, field::kAddDummyPrefix << 3, 0};
  return std::string(model_bytes) + std::string(kOverride, sizeof kOverride);
}

}  // namespace niah::models
