"""Runs the program under test and inspects what it wrote."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
ZOO = ROOT / "models" / "zoo"
WAIT = 600  # seconds: longer than anything here takes on a loaded machine

failures = []


def check(holds, what):
    """Prints a failure and continues, so that one run shows all of them."""
    if not holds:
        failures.append(what)
        print("FAILED:", what, flush=True)
    return holds


class Program:
    """The program under test, in its own folder."""

    def __init__(self, path, folder):
        self.path = str(path)
        self.folder = pathlib.Path(folder)

    def start(self, arguments, limit=None, closed=(), **streams):
        """Starts the program. `limit`: the maximum file size in bytes, to simulate a full disk.
        `closed`: descriptors that are closed."""

        def prepare():
            # Reset signals that nohup or a shell's & may have set to be ignored.
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in closed:
                os.close(descriptor)
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        streams.setdefault("stdout", subprocess.DEVNULL)
        streams.setdefault("stderr", subprocess.DEVNULL)
        return subprocess.Popen(
            [self.path, *map(str, arguments)], cwd=self.folder, stdin=subprocess.DEVNULL,
            preexec_fn=prepare, env=dict(os.environ, OMP_NUM_THREADS="1"), **streams)

    def run(self, arguments, limit=None):
        """Runs it to its end; returns the exit code, stdout and stderr."""
        with self.start(arguments, limit, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            out, err = child.communicate(timeout=WAIT)
        return child.returncode, out, err.decode(errors="replace")

    def expect(self, arguments, code=0):
        found, out, err = self.run(arguments)
        check(found == code, f"{' '.join(map(str, arguments))}: exit {found}, not {code}\n{err}")
        return out


def seconds_of(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def files_of(path):
    """Content by name of a file, or of all files below a folder."""
    path = pathlib.Path(path)
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*")) if file.is_file()
    }


TIMES = re.compile(rb"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(\.\d+)?Z?")


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def timeless(name):
    return TIMES.sub(b"TIME", name.encode()).decode()


def without_times(files):
    """A run's files without what differs between equal runs: times and whatever shows them. The
    journal's records are keyed by identity, since their order is not guaranteed."""
    kept = {}
    for name, content in files.items():
        name = timeless(name)
        if name == "journal.jsonl":
            rows = {}
            for line in content.decode().splitlines():
                row = json.loads(line)
                row.pop("seconds")
                row.pop("computed_tokens")  # a resumed run reads parts of prompts again
                key = tuple(str(row[k]) for k in ("variant", "kind", "task", "length", "index"))
                check(key not in rows, f"the journal has two records of {key}")
                rows[key] = row
            kept[name] = rows
        elif name == "results.json":
            results = json.loads(content)
            results.pop("timing", None)
            kept[name] = results["cells"]
        elif name.startswith(("heatmaps", "tables")) and "speed" not in name:
            kept[name] = content
        else:
            kept[name] = None  # only its existence counts
    return kept


def expect_same(found, expected, what):
    if found == expected:
        return
    names = sorted(set(found) ^ set(expected))
    check(False, f"{what}: files that only one of the two has: {names}" if names else
          f"{what}: these differ: {[n for n in found if found[n] != expected[n]]}")


def small_sweep(folder, name="sweep.yaml", lengths="[1K, 2K]", samples=6, tasks="[s1, s3]"):
    path = folder / name
    path.write_text(
        f"name: small\nhaystack: {{kind: prose}}\ntasks: {tasks}\nlengths: {lengths}\n"
        f"samples: {samples}\nmodels:\n  - name: zoo\n    base: {ZOO}/base\n"
        f"    sft: {ZOO}/cot-sft\n    variants: [base, sft, qk]\ntokenizer: {ZOO}/tokenizer\n"
        "reasoning: {samples: 2}\n"
        "runtime: {dtype: fp32, prefill_chunk: 128, threads: 1}\n")
    return path


def small_recipe(folder):
    path = folder / "tune.yaml"
    path.write_text(
        f"name: tiny\nseed: 4\ntokenizer: {ZOO}/tokenizer\nstart: {ZOO}/base\n"
        "data: {kind: direct, batch_problems: 1}\n"
        "train: {steps: 12, learning_rate: 1.0e-3, bf16: false}\nsave_every: 2\n")
    return path


def beside(out):
    """Temporary files next to `out`: those whose names begin with its name."""
    return sorted(p.name for p in out.parent.iterdir()
                  if p.name.startswith((out.name + ".", "." + out.name)))
