#!/usr/bin/env python3
"""Trains the small tokenizers of tests/data/tokenizer and records what the reference libraries make
of a set of texts with them.

    python3 -m venv VENV && VENV/bin/pip install tokenizers sentencepiece
    VENV/bin/python tests/oracle/record_tokenizer.py

Recorded with tokenizers 0.23.3 and sentencepiece 0.2.3. The training text is this repository's
LICENSE file, so the tokenizers contain no other text.
"""

import io
import json
import random
import shutil
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "tokenizer"
TEXT = (ROOT / "LICENSE").read_text()
LINES = [line.strip() for line in TEXT.splitlines() if line.strip()]

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = CONTRACTION + WORDS + r"\p{N}" + REST
LLAMA3 = CONTRACTION + WORDS + r"\p{N}{1,3}" + REST

TEXTS = [
    "", " ", "  ", "\n", "\n\n", " \n \n", "\t", "\r\n", "a", " a", "  a", "a ", "a  ", "a\n", "\na",
    "Licensed under the Apache License, Version 2.0 (the \"License\");",
    "The contributor's work: it's, IT'S, we'll, WE'LL, they've, I'd, I'm, you're, can't, 'S 'D",
    "it\u2019s it'\u017f IT'\u017fx o'clock 'tis 's",
    "one  two   three    four", "tab\tand\ttab", "line\r\nline\rline\n\n\n  indented\n",
    "trailing spaces   ", "   leading spaces", "spaces \u00a0 no-break\u2003em\u3000ideographic",
    "\u180e\u200b\ufeff zero width", "\x00\x01\x1f\x7f control", "\x85next line",
    "0", "12", "123", "1234567", "3.14159", "1,000,000", "\u0661\u0662\u0663", "\u00bd\u2167\u2460",
    "x=1;y=22;z=333", "v2.0-rc1", "7d7a1e2f-0b1c-4d2e-9f3a-5b6c7d8e9f00",
    "!!!", "...", "(a)(b)", "-- --", "@#$%^&*", "a.b,c;d", ".a", " .a", "?\n!", ")\r\n\n", " -\n-",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u3053\u3093\u306b\u3061\u306f", "\ud55c\uad6d\uc5b4",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0645\u0631\u062d\u0628\u0627",
    "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "caf\u00e9 cafe\u0301 \u212b A\u030a a\u0323\u0307 a\u0307\u0323", "\u1100\u1161\u11a8 \uac01",
    "\u0344 \u0958 \u2126 \ufb01", "q\u0307\u0323 e\u0301\u0327", "\u0301 alone", "'s\u0301",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea", "\U0001d400\U00020000",
    "\U00031350\U0002ebf0 newer letters", "a\u0898b\u0334", "\u2581 \u2581under\u2581score \u2581",
    "<|end|>", "a<|end|>b", "<|end|><|end|>", "<|end|", "<|end|>\n", "<s>hello</s>", "<pad> word <pad>",
    "<mask>", " <mask> ", "  <mask>  x", "x<mask>y", "wordy word words", "A\u030aNGSTROM \u00c5NGSTROM",
    "<|begin|>user\nWhat?<|end|>\n<|begin|>assistant\n", "the the the the the the the the the",
    "supercalifragilisticexpialidocious" * 3, "a" * 300, " " * 70 + "x", "ab" * 120, "\n" * 40,
]


def random_texts(count, seed):
    """Strings of random sequences of words, spaces, marks, digits, tokens and characters of all
    planes."""
    draw = random.Random(seed)
    parts = ["'s", "'LL", " the", "License", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "7", "42",
             "2024", ".", ",", " (", "<|end|>", "<s>", "<mask>", "word", "\u0301", "\u0323", "\u00e9",
             "\u4e2d", "\u3042", "\uac00", "\U0001f600", "\u0661", "\u2581", "\u200d", "\u017f", "'"]

    def any_code_point():
        while True:
            value = draw.choice([draw.randrange(0x80), draw.randrange(0x3000), draw.randrange(0x110000)])
            if not 0xD800 <= value < 0xE000:
                return chr(value)

    return ["".join(draw.choice(parts) if draw.random() < 0.8 else any_code_point()
                    for _ in range(draw.randrange(1, 24))) for _ in range(count)]


def write_cases(folder, encode, decode, texts):
    with open(folder / "cases.jsonl", "w") as out:
        for text in texts:
            ids = encode(text)
            out.write(json.dumps({"text": text, "ids": ids, "decoded": decode(ids)}) + "\n")


def fresh(name):
    folder = DATA / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def sentencepiece_model(name, config=None, **options):
    folder = fresh(name)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=model, minloglevel=2, num_threads=1,
        normalization_rule_name="identity", byte_fallback=True, hard_vocab_limit=False, **options)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    write_cases(folder, processor.encode, processor.decode, TEXTS + random_texts(150, 11))


def trained_bpe(vocab_size, pattern, normalizer=None, specials=()):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    if pattern:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(LINES, trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens(list(specials))
    return tokenizer


def save(tokenizer, name, change=lambda document: None):
    folder = fresh(name)
    document = json.loads(tokenizer.to_str())
    change(document)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n")
    reference = Tokenizer.from_str(text)
    write_cases(folder, lambda text: reference.encode(text, add_special_tokens=False).ids,
                lambda ids: reference.decode(ids, skip_special_tokens=False),
                TEXTS + random_texts(250, 12))
    (folder / "prompt.json").write_text(json.dumps(reference.encode("the License").ids) + "\n")
    return folder


def gpt2():
    """Byte-level splitting only, no normaliser, <|end|> special; also as vocab.json + merges.txt."""
    tokenizer = trained_bpe(600, None, specials=["<|end|>"])
    folder = save(tokenizer, "gpt2")
    slow = fresh("gpt2_files")
    document = json.loads((folder / "tokenizer.json").read_text())
    (slow / "vocab.json").write_text(json.dumps(document["model"]["vocab"], ensure_ascii=False))
    merges = "".join(" ".join(pair) + "\n" for pair in document["model"]["merges"])
    (slow / "merges.txt").write_text("#version: 0.2\n" + merges)
    end = document["added_tokens"][0]
    (slow / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|end|>",
         "added_tokens_decoder": {str(end["id"]): {k: v for k, v in end.items() if k != "id"}}},
        indent=1) + "\n")


def roberta():
    """A space before every text, and tokens with every AddedToken flag."""
    tokenizer = trained_bpe(500, None)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=False),
                          AddedToken("\u00c5NGSTROM", normalized=True)])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1",
                                      special_tokens=[("<s>", tokenizer.token_to_id("<s>")),
                                                      ("</s>", tokenizer.token_to_id("</s>"))])])
    save(tokenizer, "roberta")


def llama3():
    """Digits in groups of three, ignore_merges, a BOS template; half of the merges are removed so
    that ignore_merges matters."""
    tokenizer = trained_bpe(700, LLAMA3, specials=["<|begin|>", "<|end|>"])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1",
                                      special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))])])

    def change(document):
        document["model"]["ignore_merges"] = True
        document["model"]["merges"] = document["model"]["merges"][:200]

    save(tokenizer, "llama3", change)


def qwen():
    """NFC, one token per digit, chat tokens; merges written as strings, as in older files."""
    tokenizer = trained_bpe(700, QWEN, normalizers.NFC(), ["<|end|>", "<|begin|>", "<s>"])

    def change(document):
        document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]

    save(tokenizer, "qwen", change)


def other():
    """Splits without a fast matcher: three stages, the second by a plain string; single digits."""
    tokenizer = trained_bpe(500, QWEN, normalizers.Sequence([normalizers.NFC()]), ["<|end|>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Split("e", "merged_with_previous"),
        pre_tokenizers.Split(Regex(r"\s+|\p{Lu}[\p{Ll}\p{M}]+|[^\s\p{L}]{2,3}"), "merged_with_next"),
        pre_tokenizers.Split(Regex("[aeiou]"), "contiguous"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    save(tokenizer, "other")


def unknown():
    """A vocabulary that lacks some bytes: they become the unknown token, and adjacent ones are
    fused."""
    tokenizer = trained_bpe(500, QWEN, specials=["<|end|>"])

    def change(document):
        vocab = document["model"]["vocab"]
        gone = [token for token in vocab if len(token) == 1 and ord(token) >= 0x100][:100]
        kept = ["<unk>"] + [token for token in vocab if not set(token) & set(gone)]
        document["model"]["vocab"] = {token: i for i, token in enumerate(kept)}
        document["model"]["merges"] = [pair for pair in document["model"]["merges"]
                                       if not set("".join(pair)) & set(gone)]
        document["model"]["unk_token"] = "<unk>"
        document["model"]["fuse_unk"] = True
        document["added_tokens"][0]["id"] = len(kept)

    save(tokenizer, "unknown", change)


def main():
    sentencepiece_model("sp_unigram", model_type="unigram", vocab_size=520, split_digits=True,
                        add_dummy_prefix=False, remove_extra_whitespaces=False,
                        user_defined_symbols=["\n"], pad_id=0, unk_id=1, bos_id=2, eos_id=3)
    sentencepiece_model("sp_bpe", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True,
                                   "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>"},
                        model_type="bpe", vocab_size=560, split_digits=True,
                        add_dummy_prefix=True, remove_extra_whitespaces=False,
                        allow_whitespace_only_pieces=True)
    sentencepiece_model("sp_squeeze", model_type="unigram", vocab_size=480, add_dummy_prefix=True,
                        remove_extra_whitespaces=True)
    gpt2()
    roberta()
    llama3()
    qwen()
    other()
    unknown()


if __name__ == "__main__":
    main()
