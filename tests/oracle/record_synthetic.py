"""Records variable tracking, common words and frequent words (vt, cwe, fwe) as the reference programs make them:
tests/data/protocol/{lm_eval,ruler}_synthetic.jsonl and numpy_random.jsonl.

    pip install lm_eval==0.4.13 wonderwords==3.0.1 numpy scipy tqdm transformers datasets
    git clone https://github.com/NVIDIA/RULER
    python record_synthetic.py RULER

RULER's scripts are those of commit c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a (22 July 2026); earlier ones write
"assgined" in the answer of vt, or look for sizes in other ways. They are run as its prepare.py runs them, one process
a cell; its english_words.json, which only lengths beyond 64K need, may be missing. Tokens are counted as words, or as
three bytes each, so no tokenizer is needed. A row holds the SHA-256 of a sample's text; the first of every cell at the
shortest length also holds the text.
"""

import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import types

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/data/protocol"
SCRIPTS = {"vt": "variable_tracking", "cwe": "common_words_extraction", "fwe": "freq_words_extraction"}
RULER_CELLS = [("words", 42, 1024, 25), ("words", 42, 4096, 25), ("words", 7, 6000, 25), ("triples", 1, 9000, 25)]
LM_EVAL_CELLS = [("words", 3, 1100, 25), ("words", 3, 4096, 25), ("triples", 5, 5000, 25), ("words", 0, 7000, 25)]
NUMPY_SEED = 1234  # the harness's default
COUNTS = {
    "words": lambda text: text.split(),
    "triples": lambda text: range(1 + (len(text.encode()) + 2) // 3),  # after one special token
}
# What RULER's scripts import beside their own files. It counts no special tokens.
STUBS = {
    "tokenizer.py": """
class Words:
    def text_to_tokens(self, text):
        return text.split()

class Triples:
    def text_to_tokens(self, text):
        return range((len(text.encode()) + 2) // 3)

def select_tokenizer(kind, path):
    return {"words": Words, "triples": Triples}[path]()
""",
    "manifest_utils.py": """
import json

def write_manifest(path, rows):
    with open(path, "w") as out:
        for row in rows:
            print(json.dumps(row), file=out)
""",
}


def row_of(cell, row, text, with_text):
    count, seed, task, length = cell
    made = {"count": count, "seed": seed, "task": task, "max_length": length, "index": row["index"],
            "outputs": row["outputs"], "length": row["length"],
            "input_sha256": hashlib.sha256(text.encode()).hexdigest()}
    return {**made, "input": text} if with_text else made


def ruler_rows(ruler):
    sys.path.insert(0, str(ruler / "scripts/data/synthetic"))
    from constants import TASKS

    for task, script in SCRIPTS.items():
        for place, (count, seed, length, samples) in enumerate(RULER_CELLS):
            constants = TASKS[script]
            with tempfile.TemporaryDirectory() as folder:
                run_ruler(ruler, script, pathlib.Path(folder), {
                    "--save_dir": folder, "--save_name": task, "--tokenizer_path": count, "--tokenizer_type": "hf",
                    "--max_seq_length": length, "--tokens_to_generate": constants["tokens_to_generate"],
                    "--num_samples": samples, "--random_seed": seed,
                    "--template": constants["template"] + constants["answer_prefix"]})
                rows = [json.loads(line) for line in open(pathlib.Path(folder, task, "validation.jsonl"))]
            for row in rows:
                made = row_of((count, seed, task, length), row, row["input"], place == 0 and row["index"] == 0)
                yield {**made, "gen_prefix": row["answer_prefix"].removeprefix(" ")}


def run_ruler(ruler, script, folder, options):
    """Runs a script of RULER's on a copy of its folder, beside the stubs."""
    copy = folder / "data/synthetic"
    copy.mkdir(parents=True)
    for file in (ruler / "scripts/data/synthetic").glob("*.py"):
        (copy / file.name).write_text(file.read_text())
    (copy / "json").mkdir()
    (copy / "json/english_words.json").write_text("{}")
    for name, text in STUBS.items():
        (copy.parent / name).write_text(text)
    arguments = [str(part) for option in options.items() for part in option]
    subprocess.run([sys.executable, copy / f"{script}.py", *arguments], check=True, capture_output=True)


def lm_eval_makers():
    from lm_eval.tasks.ruler import cwe_utils, fwe_utils, vt_utils

    def make_vt(tokenizer, length, samples):
        example = vt_utils.sys_vartrack_w_noise_random(
            tokenizer=tokenizer, num_samples=1, max_seq_length=500, incremental=5)[0]
        return vt_utils.sys_vartrack_w_noise_random(
            tokenizer=tokenizer, num_samples=samples, max_seq_length=length, icl_example=example)

    words = sorted(cwe_utils.WORDS)

    def start():
        """As after the harness's start: its generator of cwe has shuffled the words."""
        cwe_utils.WORDS[:] = words
        cwe_utils.RNG.seed(42)
        cwe_utils.RNG.shuffle(cwe_utils.WORDS)

    return start, {
        "vt": make_vt,
        "cwe": lambda tokenizer, length, samples: cwe_utils.sys_word_pair_random(
            num_samples=samples, max_seq_length=length, tokenizer=tokenizer),
        "fwe": lambda tokenizer, length, samples: fwe_utils.sys_kwext(
            num_samples=samples, max_seq_length=length, tokenizer=tokenizer),
    }


def lm_eval_rows():
    """Cells that each start the harness's generators anew, then one run through all tasks, whose streams go on from
    cell to cell; the harness makes 500 samples of each."""
    start, makers = lm_eval_makers()

    def seed_all(seed):
        random.seed(seed)
        numpy.random.seed(NUMPY_SEED)
        start()

    def rows_of(run, cell, samples, kept, with_text=False):
        count, _, task, length = cell
        tokenizer = lambda text: types.SimpleNamespace(input_ids=COUNTS[count](text))
        for row in makers[task](tokenizer, length, samples)[:kept]:
            made = row_of(cell, row, row["input"], with_text and row["index"] == 0)
            yield {"run": run, **made, "gen_prefix": row["gen_prefix"]}

    for task in SCRIPTS:
        for place, (count, seed, length, samples) in enumerate(LM_EVAL_CELLS):
            seed_all(seed)
            yield from rows_of("cells", (count, seed, task, length), samples, samples, place == 0)
    seed_all(0)
    for task, length in [("cwe", 900), ("vt", 1300), ("fwe", 700), ("vt", 900), ("cwe", 1500)]:
        yield from rows_of("run", ("words", 0, task, length), 500, 4)


def numpy_rows():
    for seed in [0, 1, 42, 1234, 2**32 - 1]:
        numpy.random.seed(seed)
        ranges = [(10000, 99999)] * 4 + [(0, 2), (5, 6), (0, 2**17), (-3, 2**31)]
        yield {"seed": seed, "randint": [[*one, int(numpy.random.randint(*one))] for one in ranges]}


def cpython_rows():
    """choices(), which vt and fwe draw their words with."""
    for seed in [0, 42, 2**40 + 1]:
        r = random.Random(seed)
        upper = ["".join(r.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=5)) for _ in range(6)]
        lower = ["".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(6)]
        yield {"seed": seed, "upper": upper, "lower": lower, "last": r.getrandbits(32)}


def write(name, rows):
    with (OUTPUT / name).open("w") as out:
        for row in rows:
            print(json.dumps(row), file=out)


def main(ruler):
    write("numpy_random.jsonl", numpy_rows())
    write("cpython_choices.jsonl", cpython_rows())
    write("lm_eval_synthetic.jsonl", lm_eval_rows())
    write("ruler_synthetic.jsonl", ruler_rows(pathlib.Path(ruler).resolve()))


if __name__ == "__main__":
    main(*sys.argv[1:])
