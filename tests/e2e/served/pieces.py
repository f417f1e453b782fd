"""The bytes that each token of a checkpoint's tokenizer spells; b"" for tokens such as </s>."""

import json
import pathlib


def of_sentencepiece(file: pathlib.Path) -> list[bytes]:
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(model_file=str(file))

    def spell(token: int) -> bytes:
        piece = model.id_to_piece(token)
        if model.is_byte(token):
            return bytes([int(piece[3:5], 16)])
        return b"" if model.is_control(token) else piece.replace("\u2581", " ").encode()

    return [spell(token) for token in range(model.vocab_size())]


def of_byte_level_bpe(file: pathlib.Path) -> list[bytes]:
    """Decodes GPT-2's byte alphabet: printable bytes are themselves, the others follow from U+0100
    on."""
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in printable]
    alphabet.update({chr(0x100 + i): byte for i, byte in enumerate(others)})
    special = {token["content"] for token in tokenizer["added_tokens"]}
    vocabulary = tokenizer["model"]["vocab"]
    return [b"" if piece in special else bytes(alphabet[c] for c in piece)
            for piece in sorted(vocabulary, key=vocabulary.get)]


def pieces_of(folder: pathlib.Path) -> list[bytes]:
    if (folder / "tokenizer.model").exists():
        return of_sentencepiece(folder / "tokenizer.model")
    return of_byte_level_bpe(folder / "tokenizer.json")
