#!/usr/bin/env python3
"""Compares the program's tokenizer with the reference library on random Unicode strings.

    python3 tests/oracle/compare_tokenizer.py --tokenizer FOLDER [--count N] [--seed N] -- COMMAND...

FOLDER holds a tokenizer.json or a tokenizer.model. COMMAND reads JSON strings, one per line, and
writes one line {"ids": [...], "text": "decoded"} for each, as `niah tokenize --tokenizer FOLDER`
does. The reference (tokenizers or sentencepiece from PyPI) is installed into --venv if this
interpreter lacks it. Exit code 1 means that they differ; the first differences are printed.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

MARKS = list(range(0x300, 0x370)) + [0x5B0, 0x64B, 0x93C, 0x94D, 0xE31, 0x1DC0, 0x20D0, 0x3099, 0xFE0F]
SPACES = [0x9, 0xA, 0xB, 0xC, 0xD, 0x1C, 0x20, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x200A, 0x200B,
          0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF]
WORDS = ["the", " the", "Hello", " world", "don't", "I'LL", "they've", "'s", "'S", "'\u017f", "x'", "  ",
         "\n\n", "\r\n", " \n ", "\t\t", "123456", "3.14", "\u0661\u0662", "caf\u00e9", "cafe\u0301",
         "A\u030a", "\u1100\u1161\u11a8", "\u0958", "\u212b", "\U0001f468\u200d\U0001f469",
         "\U0001f1e9\U0001f1ea", "\u4f60\u597d", "\u3053\u3093", "\ud55c\uad6d\uc5b4", "\u2581", "_",
         "...", "!?", "-->", "(", ")", "\"", "\u201c", "\u2019s", "http://a.b/c?d=e", "a" * 40]
BLOCKS = [(0, 0x7F), (0x80, 0x24F), (0x250, 0x5FF), (0x600, 0x8FF), (0x900, 0x109F), (0x10A0, 0x1FFF),
          (0x2000, 0x2BFF), (0x2E80, 0x33FF), (0x3400, 0x9FFF), (0xA000, 0xD7FF), (0xE000, 0xFFFF),
          (0x10000, 0x16FFF), (0x17000, 0x1FFFF), (0x20000, 0x323AF), (0xE0000, 0x10FFFF)]


def random_text(draw, specials):
    def part():
        kind = draw.random()
        if kind < 0.35:
            return draw.choice(WORDS)
        if kind < 0.40 and specials:
            token = draw.choice(specials)
            return token if draw.random() < 0.8 else token[:draw.randrange(len(token))]
        if kind < 0.50:
            return chr(draw.choice(SPACES)) * draw.randrange(1, 4)
        if kind < 0.60:
            return chr(draw.choice(MARKS))
        if kind < 0.68:
            return str(draw.randrange(10 ** draw.randrange(1, 9)))
        first, last = draw.choice(BLOCKS)
        return "".join(chr(draw.randint(first, last)) for _ in range(draw.randrange(1, 4)))
    return "".join(part() for _ in range(draw.randrange(0, 20)))


def reference(folder):
    """Returns (encode, decode, special tokens) of the reference library."""
    if (folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        specials = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        return (lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
                lambda ids: tokenizer.decode(ids, skip_special_tokens=False), specials)
    import sentencepiece
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return processor.encode, processor.decode, ["<s>", "</s>", "<0x41>"]


def run_in_venv(venv):
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "tokenizers", "sentencepiece"], check=True)
    os.execv(str(python), [str(python), *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venv", type=Path, default=Path.home() / ".cache" / "niah-oracle")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        encode, decode, specials = reference(options.tokenizer)
    except ImportError:
        if Path(sys.prefix) == options.venv:
            raise
        run_in_venv(options.venv)
    draw = random.Random(options.seed)
    texts = []
    while len(texts) < options.count:
        text = random_text(draw, specials)
        if not any(0xD800 <= ord(c) < 0xE000 for c in text):
            texts.append(text)
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    run = subprocess.run(options.command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.decode().split("\n") if line]
    if len(answers) != len(texts):
        sys.exit(f"{len(texts)} texts went in, {len(answers)} answers came out")
    differences = 0
    for text, answer in zip(texts, answers):
        ids = encode(text)
        if answer["ids"] == ids and answer["text"] == decode(ids):
            continue
        differences += 1
        if differences <= 5:
            print("text     ", json.dumps(text), "\nreference", ids, json.dumps(decode(ids)),
                  "\nprogram  ", answer["ids"], json.dumps(answer["text"]))
    print(f"{len(texts)} texts, {sum(len(a['ids']) for a in answers)} ids, {differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
