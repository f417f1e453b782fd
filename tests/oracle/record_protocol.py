"""Records the reference programs' random numbers, scores and samples: tests/data/protocol/*.jsonl.

    pip install nltk==3.10.4 wonderwords==3.0.1 numpy packaging tqdm
    pip install --no-deps lm_eval==0.4.13 llama-index-core==0.14.25   # without torch
    python record_protocol.py

Tokens are counted as words here, so no tokenizer is needed; the corpus is random words.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import random
import sys
import types
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/data/protocol"
TASKS = {
    "s1": ("repeat", "words", "numbers", {}),
    "s2": ("essay", "words", "numbers", {}),
    "s3": ("essay", "words", "uuids", {}),
    "multikey_1": ("essay", "words", "numbers", {"num_needle_k": 4}),
    "multikey_2": ("needle", "words", "numbers", {}),
    "multikey_3": ("needle", "uuids", "uuids", {}),
    "multivalue": ("essay", "words", "numbers", {"num_needle_v": 4}),
    "multiquery": ("essay", "words", "numbers", {"num_needle_q": 4}),
}
SAMPLES = 4


def package_folder(name):
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def load_alone(package, relative):
    """Loads a module of a package without running the package's __init__."""
    path = package_folder(package) / relative
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_lm_eval():
    os.environ["NLTK_DATA"] = str(package_folder("llama_index") / "core/_static/nltk_cache")
    sys.modules["datasets"] = types.ModuleType("datasets")
    transformers = types.ModuleType("transformers")
    transformers.AutoTokenizer = None
    sys.modules["transformers"] = transformers
    return (
        load_alone("lm_eval", "tasks/ruler/prepare_niah.py"),
        load_alone("lm_eval", "tasks/ruler/common_utils.py"),
    )


def random_rows():
    for seed in [0, 1, 42, 2**32 - 1, 2**32, 2**63 + 12345]:
        r = random.Random(seed)
        row = {"seed": seed, "next32": [r.getrandbits(32) for _ in range(4)]}
        row["bits"] = [[k, r.getrandbits(k)] for k in (1, 7, 31, 32, 33, 63, 64)]
        row["below"] = [[n, r._randbelow(n)] for n in (1, 2, 3, 40, 500, 6171620, 9000000, 2**32, 2**40)]
        row["randint"] = [r.randint(1000000, 9999999) for _ in range(3)]
        row["sample"] = [[n, k, r.sample(range(n), k)]
                         for n, k in ((1, 1), (21, 3), (22, 3), (40, 4), (85, 6), (86, 6), (5, 5))]
        row["uuid4"] = [str(uuid.UUID(int=r.getrandbits(128), version=4)) for _ in range(2)]
        items = list(range(10))
        r.shuffle(items)
        row["shuffle"] = items
        row["last"] = r.getrandbits(32)
        yield row
    r = random.Random(5)
    draws = "".join(f"{r.getrandbits(32)}\n" for _ in range(5000))
    yield {"seed": 5, "draws": 5000, "sha256": hashlib.sha256(draws.encode()).hexdigest()}


def score_rows(common):
    outputs = [
        "7654321", " 7654321.", "**7654321**", "7,654,321", "76543210", "x7654321y", "7654322", "",
        "The value is 7654321\x00.", "7654321 and 1111111", "1111111", "1111111 7654321 2222222",
        "ABCDEF01-2345-4678-9ABC-DEF012345678", "abcdef01-2345-4678-9abc-def012345678", "\x1c7654321\x1f",
        "\u00a07654321\u3000", "Stra\u00dfe \u00c9T\u00c9 \u0130stanbul", "765\n4321", "765\x014321",
    ]
    answers = [
        ["7654321"], ["7654321", "1111111"], ["7654321", "1111111", "2222222", "3333333"],
        ["abcdef01-2345-4678-9abc-def012345678"], ["\u00e9t\u00e9"], ["765\n4321"], ["STRASSE"],
    ]
    for output in outputs:
        for expected in answers:
            score = common.string_match_all(common.postprocess_pred([output]), [expected])
            yield {"output": output, "expected": expected, "score": score}


def make_corpus():
    r = random.Random(11)
    syllables = "ba ko mi tu re lan dor ves pel gru shi ant o e".split()
    words = ["".join(r.choice(syllables) for _ in range(r.randint(1, 4))) for _ in range(300)]
    abbreviations = ["Mr.", "Dr.", "U.S.", "e.g.", "No.", "5.", "J.", "etc.", "p.m."]
    parts = []
    for _ in range(450):
        sentence = [r.choice(abbreviations) if r.random() < 0.06 else r.choice(words)
                    for _ in range(r.randint(3, 22))]
        sentence[0] = sentence[0].capitalize()
        text = " ".join(sentence)
        if r.random() < 0.2:
            text = text.replace(" ", ", ", 1)
        parts.append(text + r.choice([".", ".", ".", "?", "!", '."', ".)", "...", "!(so)", ".\u201d", ". - "]))
        parts.append(r.choice([" ", " ", " ", "\n", "  ", "\n\n", "\u00a0"]))
    return "".join(parts).strip()


class WordCount:
    """A mock tokenizer whose tokens are words separated by white space."""

    def __call__(self, text):
        return types.SimpleNamespace(input_ids=text.split())


class TripleCount:
    """A mock tokenizer whose tokens are three bytes, after one special token."""

    def __call__(self, text):
        return types.SimpleNamespace(input_ids=range(1 + (len(text.encode()) + 2) // 3))


TEMPLATE = (
    "Some special magic {type_needle_v} are hidden within the following text. Make sure to memorize "
    "it. I will quiz you about the {type_needle_v} afterwards.\n{context}\nWhat are all the special "
    "magic {type_needle_v} for {query} mentioned in the provided text?"
)


RULER_TAIL = " The special magic {type_needle_v} for {query} mentioned in the provided text are"


def make_cell(prepare, corpus, task, length, samples, tokenizer=WordCount()):
    kind, key, value, counts = TASKS[task]
    haystack = corpus if kind == "essay" else prepare.get_haystack(type_haystack=kind)
    return prepare.generate_samples(
        haystack, tokenizer, max_seq_length=length, template=TEMPLATE, type_haystack=kind,
        type_needle_k=key, type_needle_v=value, num_samples=samples, **counts)


def rows_of_cell(rows, run, task, length):
    for row in rows[:SAMPLES]:
        text = row.pop("input")
        row.pop("max_length")
        yield {"run": run, "task": task, "max_length": length, **row,
               "input_sha256": hashlib.sha256(text.encode()).hexdigest()}


def sample_rows(prepare, corpus):
    """Cells that each start from seed(3), then one run of cells in a single stream from seed(0)."""
    words = " ".join(corpus.split()).split(" ")
    for task in TASKS:
        for length in (1500, 3000, 6500):
            random.seed(3)
            yield from rows_of_cell(make_cell(prepare, words, task, length, SAMPLES), "cells", task, length)
    random.seed(0)
    for task, length in [("s1", 900), ("s3", 1200), ("multiquery", 1300), ("s2", 2000)]:
        yield from rows_of_cell(make_cell(prepare, words, task, length, 500), "run", task, length)


def short_rows(prepare, corpus):
    """Cells at lengths where a step of 500 words fits no samples or only some. "kept" is the number
    of 500 samples that the harness keeps; 0 if it raises an exception."""
    words = " ".join(corpus.split()).split(" ")
    runs = [("words", WordCount(), task, length)
            for task in TASKS for length in (128, 180, 250, 691, 1024)]
    runs += [("triples", TripleCount(), task, length) for task, length in (
        ("s1", 250), ("s2", 700), ("s2", 1389), ("s3", 1024), ("s3", 2048), ("multikey_1", 700),
        ("multikey_1", 1452), ("multikey_2", 244), ("multivalue", 1024), ("multiquery", 1482))]
    for run, tokenizer, task, length in runs:
        random.seed(3)
        try:
            rows = make_cell(prepare, words, task, length, 500, tokenizer)
        except ValueError:
            yield {"run": run, "task": task, "max_length": length, "kept": 0}
            continue
        for row in rows_of_cell(rows, run, task, length):
            yield {**row, "kept": len(rows)}
    # Samples that are left out still advance the stream for the next cell.
    random.seed(0)
    for task, length in [("s1", 252), ("multikey_1", 1454), ("s2", 700)]:
        rows = make_cell(prepare, words, task, length, 500, TripleCount())
        for row in rows_of_cell(rows, "triples run", task, length):
            yield {**row, "kept": len(rows)}


def ruler_rows(prepare, corpus):
    """NVIDIA RULER's scripts/data/synthetic/niah.py: its sizes and its loop around the function
    that lm_eval took over from it. No row if a sample never fits, since RULER then loops for
    ever."""
    words = " ".join(corpus.split()).split(" ")
    tokenizer = WordCount()
    for task, (kind, key, value, counts) in TASKS.items():
        for length in (250, 700, 1024, 1500, 2048):
            arguments = {"num_needle_k": 1, "num_needle_v": 1, "num_needle_q": 1, **counts}
            arguments["num_needle_k"] = max(arguments["num_needle_k"], arguments["num_needle_q"])

            def make(units):
                text, outputs, _ = prepare.generate_input_output(
                    units, words * (units // len(words) + 1) if kind == "essay" else prepare.get_haystack(kind),
                    type_haystack=kind, type_needle_k=key, type_needle_v=value,
                    template=TEMPLATE + RULER_TAIL, random_seed=42, **arguments)
                return text, outputs, len(tokenizer(text).input_ids)

            random.seed(42)
            step = 500 if kind == "essay" else 5
            low, high, size = step, max(int((length / (make(step)[2] / step)) * 3), step * 2), None
            while low <= high:
                middle = (low + high) // 2
                if make(middle)[2] + 128 <= length:
                    size, low = middle, middle + 1
                else:
                    high = middle - 1
            for index in range(SAMPLES):
                units = size or step
                for _ in range(200):
                    text, outputs, tokens = make(units)
                    if tokens + 128 <= length:
                        break
                    units -= step if units > step else 0
                else:
                    break
                cut = text.rfind(RULER_TAIL[:10])
                yield {"run": "words", "task": task, "max_length": length, "index": index,
                       "outputs": outputs, "length": tokens + 128, "gen_prefix": text[cut + 1:],
                       "input_sha256": hashlib.sha256(text[:cut].encode()).hexdigest()}


def counter_stream(name):
    """The counter-based generator of protocol niah, reimplemented from its documentation."""
    block = 0
    while True:
        digest = hashlib.sha256(f"{name}/{block}".encode()).digest()
        for i in range(0, 32, 8):
            yield int.from_bytes(digest[i:i + 8], "big")
        block += 1


def counter_rows():
    for name in ["niah-1/0/s2/4096/0", "niah-1/18446744073709551615/s3/262144/499"]:
        words = counter_stream(name)
        row = {"name": name, "next64": [next(words) for _ in range(6)], "below": []}
        for n in (1, 2, 40, 9000000, 6171620, 2**63 + 1):
            mask = (1 << (n - 1).bit_length()) - 1
            drawn = next(words) & mask
            while drawn >= n:
                drawn = next(words) & mask
            row["below"].append([n, drawn])
        number = (next(words) << 64) | next(words)
        row["uuid4"] = str(uuid.UUID(int=number, version=4))
        yield row


def write(name, rows):
    with (OUTPUT / name).open("w") as out:
        for row in rows:
            print(json.dumps(row), file=out)


def main():
    prepare, common = load_lm_eval()
    corpus = make_corpus()
    (OUTPUT / "corpus.txt").write_text(corpus, "utf-8")
    write("cpython_random.jsonl", random_rows())
    write("counter_rng.jsonl", counter_rows())
    write("string_match_all.jsonl", score_rows(common))
    write("lm_eval_words.jsonl", sample_rows(prepare, corpus))
    write("lm_eval_short.jsonl", short_rows(prepare, corpus))
    write("ruler_words.jsonl", ruler_rows(prepare, corpus))


if __name__ == "__main__":
    main()
