#!/usr/bin/env python3
"""Speed of sample generation and tokenizing compared with the programs that they replace.

    python3 tests/bench/generation_peer.py --tokenizer FOLDER --essays FOLDER [--samples N]
        [--length N] [--build build/release]

Needs Python 3.11 or later. What lm-evaluation-harness 0.4.13 needs for this task is installed from
PyPI into --venv. Measured:
  1. lm-eval's generator for niah_single_2 (sizing and all samples, its own code, which uses one core;
     seed 0, the Rust tokenizer called directly) against `niah generate --protocol lm-eval --token-ids`, which also
     writes everything to a file. The sha256 of every prompt and the ids of every 50th are compared.
  2. the Rust `tokenizers` library's encode() of the essays, as one text and as lines, against
     tokenizer_bench (first: nothing cached; encode: repeated).
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import types

PACKAGES = ["nltk==3.10.4", "wonderwords==3.0.1", "numpy", "packaging", "tqdm", "tokenizers==0.23.3"]
ALONE = ["lm_eval==0.4.13", "llama-index-core==0.14.25"]  # without torch and the rest


def enter_venv(folder):
    """Restarts this script in the virtual environment that has the peers."""
    python = folder / "bin/python"
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", *ALONE], check=True)
        (folder / "ready").touch()
    os.execv(python, [str(python), *sys.argv])


def read_essays(folder):
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]


def run_peer(arguments):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
    from record_protocol import load_lm_eval
    from tokenizers import Tokenizer

    prepare, _ = load_lm_eval()
    rust = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))

    def tokenizer(text):
        return types.SimpleNamespace(input_ids=rust.encode(text).ids)

    haystack = " ".join(read_essays(arguments.essays))
    haystack = re.sub(r"\s+", " ", haystack).split(" ")
    template = (
        "Some special magic {type_needle_v} are hidden within the following text. Make sure to "
        "memorize it. I will quiz you about the {type_needle_v} afterwards.\n{context}\nWhat are all "
        "the special magic {type_needle_v} for {query} mentioned in the provided text?")
    random.seed(0)
    begin = time.perf_counter()
    rows = list(prepare.generate_samples(
        haystack, max_seq_length=arguments.length, template=template, type_haystack="essay",
        type_needle_k="words", type_needle_v="numbers", num_samples=arguments.samples,
        TOKENIZER=tokenizer))
    seconds = time.perf_counter() - begin
    prompts = [f"{row['input']} {row['gen_prefix']}" for row in rows]
    ids = {i: rust.encode(prompts[i]).ids for i in range(0, len(prompts), 50)}
    return seconds, prompts, ids


def run_ours(arguments, out):
    begin = time.perf_counter()
    subprocess.run(
        [arguments.build / "niah", "generate", "--protocol", "lm-eval", "--task", "s2", "--length",
         str(arguments.length), "--samples", str(arguments.samples), "--seed", "0", "--tokenizer",
         arguments.tokenizer, "--haystack", arguments.essays, "--token-ids", "--out", out],
        check=True)
    return time.perf_counter() - begin


def compare(out, prompts, ids):
    with open(out, encoding="utf-8") as lines:
        for i, line in enumerate(lines):
            row = json.loads(line)
            if row["prompt_sha256"] != hashlib.sha256(prompts[i].encode()).hexdigest():
                sys.exit(f"prompt {i} differs")
            if i in ids and row["input_ids"] != ids[i]:
                sys.exit(f"ids of prompt {i} differ")


def best_rate(size, call, repeats=5):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return size / min(times) / 1e6


def compare_encoding(arguments):
    from tokenizers import Tokenizer

    text = "\n".join(read_essays(arguments.essays))
    size = len(text.encode())
    rust = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    lines = text.splitlines(keepends=True)
    print(f"encode, {size / 1e6:.2f} MB of essays, one thread:")
    print(f"  tokenizers, one text    {best_rate(size, lambda: rust.encode(text)):8.1f} MB/s")
    print(f"  tokenizers, line by line{best_rate(size, lambda: [rust.encode(l) for l in lines]):8.1f} MB/s")
    bench = arguments.build / "tests/bench/tokenizer_bench"
    file = arguments.venv / "essays.txt"
    file.write_text(text, encoding="utf-8")
    environment = dict(os.environ, NIAH_BENCH_TOKENIZER=str(arguments.tokenizer), NIAH_BENCH_TEXT=str(file))
    result = subprocess.run([bench, "--benchmark_filter=encode/bpe", "--benchmark_format=json"], check=True,
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for row in json.loads(result.stdout)["benchmarks"]:
        name = {"first_encode/bpe": "niah, nothing cached", "encode/bpe": "niah, repeated"}[row["name"]]
        print(f"  {name:24}{row['bytes_per_second'] / 1e6:8.1f} MB/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--essays", type=pathlib.Path, required=True, help="folder of .txt files")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--length", type=int, default=131072)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--venv", type=pathlib.Path, default=pathlib.Path("build/peers-generation"))
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["TQDM_DISABLE"] = "1"
    arguments.venv.parent.mkdir(parents=True, exist_ok=True)
    enter_venv(arguments.venv)

    compare_encoding(arguments)
    out = arguments.venv / "samples.jsonl"
    ours = run_ours(arguments, out)
    peer, prompts, ids = run_peer(arguments)
    compare(out, prompts, ids)
    out.unlink()
    print(f"{arguments.samples} samples of S2 at {arguments.length} tokens, ids included:")
    print(f"  lm-eval 0.4.13 {peer:8.1f} s\n  niah generate  {ours:8.1f} s   {peer / ours:.0f} times faster")


if __name__ == "__main__":
    main()
