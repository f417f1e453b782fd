#!/usr/bin/env python3
"""The same checkpoint, prompts (as token ids) and 128 tokens an answer through niah's own engine and
through vLLM's CPU build or llama.cpp, both in bf16 on all cores and with prefix caching.

    python3 tests/bench/server_peers.py vllm --checkpoint FOLDER --lengths 4096,8192
    python3 tests/bench/server_peers.py llama.cpp --checkpoint models/zoo/qwen3

Installs the server below --out (tests/e2e/served/servers.py). niah asks both, so prompts, order and
scores come from the same code; its own figure includes start and loading, the server's does not.
Samples are S2 of protocol `niah` over the KJV. Prints a row of README's table a length.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e/served")]

import servers  # noqa: E402
from peers import processor  # noqa: E402

KEY_ENV = "NIAH_BENCH_KEY"  # the sweep's key_env


def sweep_of(options: argparse.Namespace, length: int, variant: object) -> dict:
    return {
        "name": "peer", "tasks": ["s2"], "lengths": [length], "samples": options.samples, "seed": 1,
        "haystack": {"kind": "kjv"},
        "models": [{"name": "peer", "base": str(options.checkpoint), "variants": [variant]}],
        "runtime": {"device": "cpu", "dtype": "bf16"},
    }


def measure(options: argparse.Namespace, folder: pathlib.Path, sweep: dict, key: str) -> tuple[float, dict]:
    """Seconds a sample, and the score of every sample."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = folder / "sweep.yaml"
    config.write_text(json.dumps(sweep) + "\n", encoding="utf-8")
    command = [options.niah, "run", config, "--out", folder / "run", "--quiet"]
    begin = time.perf_counter()
    with (folder / "log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, KEY_ENV: key})
    seconds = time.perf_counter() - begin
    records = [json.loads(line) for line in (folder / "run/journal.jsonl").open(encoding="utf-8")]
    scores = {record["index"]: record["score"] for record in records}
    if len(scores) != options.samples:
        raise SystemExit(f"{folder / 'log'}: {len(scores)} of {options.samples} samples have a score")
    return seconds / options.samples, scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server", choices=list(servers.COMMANDS))
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True, help="a Qwen3 folder of the zoo's recipe")
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/server_peers")
    parser.add_argument("--lengths", default="4096,8192,16384")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=4, help="requests that the server works on at once")
    parser.add_argument("--port", type=int, default=8418)
    parser.add_argument("--wait", type=float, default=900, help="seconds for the server to be there")
    options = parser.parse_args()
    for name in ("out", "niah", "checkpoint"):
        setattr(options, name, getattr(options, name).resolve())
    servers.enter_venv(options.server, options.out / f"venv-{options.server}")

    lengths = [int(length) for length in options.lengths.split(",")]
    folder = options.out / f"{options.checkpoint.parent.name}-{options.checkpoint.name}-{options.server}"
    settings = servers.Options(
        checkpoint=options.checkpoint, out=folder / "server", name="peer", context=max(lengths) + 256,
        parallel=options.parallel, threads=os.cpu_count() or 1, port=options.port, prefix_caching=True, fast=True)
    with servers.serving(options.server, settings, options.wait) as url:
        served = {"url": f"{url}/v1", "model": "peer", "api": "completions", "key_env": KEY_ENV, "prompts": "ids",
                  "concurrency": options.parallel}
        print(f"{processor()}, {os.cpu_count()} cores, bf16, {options.samples} samples of S2 a length\n")
        print(f"| tokens | {options.server} | niah | faster | scores that differ | mean score |")
        print("| --- | --- | --- | --- | --- | --- |")
        for length in lengths:
            variant = {"name": "served", "served": served}
            theirs, their_scores = measure(options, folder / f"served-{length}", sweep_of(options, length, variant),
                                           settings.key)
            ours, scores = measure(options, folder / f"own-{length}", sweep_of(options, length, "base"), settings.key)
            differ = sum(scores[index] != their_scores[index] for index in scores)
            mean = sum(scores.values()) / len(scores)
            print(f"| {length:,} | {theirs:.2f} s | {ours:.2f} s | {theirs / ours:.1f} | {differ} | {mean:.2f} |",
                  flush=True)


if __name__ == "__main__":
    main()
