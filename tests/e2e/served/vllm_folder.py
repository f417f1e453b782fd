"""Prepares a checkpoint for vLLM: if it has no tokenizer.json, one is made from its SentencePiece
unigram model, which transformers 5 cannot read directly, and it gets a chat template.
"""

import json
import pathlib

USER_DEFINED = 4  # a piece's type in SentencePiece
# The messages with a space between them: with the answer begun, the text of a raw prompt.
CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{{ '' if loop.last else ' ' }}{% endfor %}"


def tokenizer_of(file: pathlib.Path):
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    model = sentencepiece_model_pb2.ModelProto.FromString(file.read_bytes())
    trained, spec = model.trainer_spec, model.normalizer_spec
    if trained.model_type != trained.UNIGRAM or spec.precompiled_charsmap or spec.remove_extra_whitespaces:
        raise SystemExit(f"{file} is no unigram model that takes text as it is")
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, trained.unk_id, byte_fallback=trained.byte_fallback))
    prepend = "first" if spec.add_dummy_prefix else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=prepend, split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    begin = pieces[trained.bos_id][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[begin, "$A"], pair=[begin, "$A", begin, "$B"], special_tokens=[(begin, trained.bos_id)])
    special = [pieces[i][0] for i in (trained.unk_id, trained.bos_id, trained.eos_id)]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in special])
    tokenizer.add_tokens([AddedToken(piece.piece, normalized=False) for piece in model.pieces
                          if piece.type == USER_DEFINED])
    return tokenizer


def write_folder(checkpoint: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The folder to serve: `checkpoint` itself, or `folder` with links to its files and a
    tokenizer.json."""
    if (checkpoint / "tokenizer.json").exists():
        return checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to((checkpoint / name).resolve())
    tokenizer_of(checkpoint / "tokenizer.model").save(str(folder / "tokenizer.json"))
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings["chat_template"] = CHAT_TEMPLATE
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    return folder
