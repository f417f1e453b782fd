#!/usr/bin/env python3
"""Harms the built program: kills it, stops it, lets its writes fail. CTest runs every case with few
kills; NIAH_KILLS=100 asks for more, NIAH_SEED=n for the moments of an earlier run.

    python3 tests/e2e/robustness.py --program build/release/niah CASE...
    python3 tests/e2e/robustness.py --list
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZOO = ROOT / "models" / "zoo"
WAIT = 600  # seconds: longer than anything here takes on a loaded machine

failures = []


def check(holds, what):
    """Says what is wrong and goes on, so that one run shows everything."""
    if not holds:
        failures.append(what)
        print("FAILED:", what, flush=True)
    return holds


class Program:
    """The program under test, in a folder of its own."""

    def __init__(self, path, folder):
        self.path = str(path)
        self.folder = pathlib.Path(folder)

    def start(self, arguments, limit=None, closed=(), **streams):
        """Starts the program. `limit`: no file may grow beyond so many bytes, as on a full disk.
        `closed`: descriptors that it does not get."""

        def prepare():
            # As from a terminal, whatever nohup or a shell's & made of it.
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
        """Runs it to its end: exit code, what it wrote to stdout and to stderr."""
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
    """Content by name, of a file or of a folder and all that is in it."""
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
    """A run's files without what differs between equal runs: times, and what a report says of them.
    Records of the journal by identity: their order is nobody's promise."""
    kept = {}
    for name, content in files.items():
        name = timeless(name)
        if name == "journal.jsonl":
            rows = {}
            for line in content.decode().splitlines():
                row = json.loads(line)
                row.pop("seconds")
                row.pop("computed_tokens")  # a resumed run reads some of a prompt again
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
            kept[name] = None  # that it is there
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
    """What stands beside `out` because of it: temporaries under names that begin with its own."""
    return sorted(p.name for p in out.parent.iterdir()
                  if p.name.startswith((out.name + ".", "." + out.name)))


# ---- kills --------------------------------------------------------------------------------------


def kill_at(program, arguments, seconds):
    """Starts it and kills it after so long; whether it was still there."""
    child = program.start(arguments)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=seconds)
    child.kill()
    return child.wait() == -signal.SIGKILL


def kills_of_a_run(program, kills, draw):
    """One sweep that is killed again and again, and taken up each time."""
    sweep = small_sweep(program.folder, samples=max(6, kills // 4))
    whole, out = program.folder / "whole", program.folder / "killed"
    command = ["run", sweep, "--quiet", "--out"]

    first_record = []
    child = program.start([*command, whole])
    begin = time.monotonic()
    while child.poll() is None:
        journal = whole / "journal.jsonl"
        if not first_record and journal.exists() and journal.stat().st_size > 0:
            first_record.append(time.monotonic() - begin)
        time.sleep(0.002)
    if not check(child.returncode == 0 and first_record,
                 f"the undisturbed run ended with {child.returncode}"):
        return
    work = time.monotonic() - begin - first_record[0]

    hit = 0
    for _ in range(kills):
        # All of them together take less than the sweep, or there would be nothing left to kill.
        moment = draw.uniform(0, first_record[0] + work / kills)
        hit += kill_at(program, [*command, out], moment)
    check(hit > kills // 2, f"only {hit} of {kills} kills found the program at work")
    program.expect([*command, out])
    expect_same(without_times(files_of(out)), without_times(files_of(whole)), "the killed run")
    check(beside(out) == [], f"beside the run: {beside(out)}")


def kills_of_one_command(program, kills, draw, arguments, out):
    """The command is killed at random moments until so many kills have hit. After every few it is
    run to its end: the result is the undisturbed one. `out`: what it writes."""
    duration = seconds_of(lambda: program.expect(arguments))
    whole = files_of(out)
    names = sorted(p.name for p in out.parent.iterdir())
    check(whole != {}, f"{arguments[0]} wrote nothing")
    hit = tries = 0
    while hit < kills and tries < 20 * kills:
        for _ in range(draw.randint(1, 3)):
            tries += 1
            hit += kill_at(program, arguments, draw.uniform(0, 1.05 * duration))
        # A folder that is there at all is whole; only what may be continued may be in parts.
        if arguments[0] in ("restore", "train", "generate") and out.exists():
            expect_same(files_of(out), whole, f"{out.name} of a killed {arguments[0]}")
        # What never writes over anything refuses to be done twice, unless a kill left it to tidy up.
        is_done = arguments[0] in ("restore", "train") and out.exists()
        code, _, err = program.run(arguments)
        check(code == 0 or (is_done and code == 2), f"{arguments[0]} after kills: exit {code}\n{err}")
        expect_same(files_of(out), whole, f"{arguments[0]} after kills")
        left = sorted(set(p.name for p in out.parent.iterdir()) - set(names))
        check(left == [], f"{arguments[0]} after kills left {left}")
        if failures:
            return
        if arguments[0] != "report":
            remove(out)
    check(hit >= kills, f"only {hit} of {tries} kills found {arguments[0]} at work")


def kills_of_merge(program, kills, draw):
    sweep = small_sweep(program.folder)
    shards = [program.folder / f"shard{i}" for i in (1, 2)]
    for i, shard in enumerate(shards, 1):
        program.expect(["run", sweep, "--quiet", "--shard", f"{i}/2", "--out", shard])
    out = program.folder / "merged"
    kills_of_one_command(program, kills, draw, ["merge", *shards, "--out", out], out)


def kills_of_restore(program, kills, draw):
    out = program.folder / "restored"
    kills_of_one_command(
        program, kills, draw,
        ["restore", "--pre", ZOO / "base", "--post", ZOO / "cot-sft", "--method", "qk-pro",
         "--out", out], out)


def kills_of_report(program, kills, draw):
    out = program.folder / "run"
    program.expect(["run", small_sweep(program.folder), "--quiet", "--out", out])
    kills_of_one_command(program, kills, draw, ["report", out], out)


def kills_of_train(program, kills, draw):
    out = program.folder / "tuned"
    kills_of_one_command(
        program, kills, draw, ["train", small_recipe(program.folder), "--quiet", "--out", out],
        out)


def kills_of_generate(program, kills, draw):
    out = program.folder / "samples.jsonl"
    kills_of_one_command(
        program, kills, draw,
        ["generate", "--task", "s2", "--length", "8K", "--samples", "200", "--haystack", "prose",
         "--tokenizer", ZOO / "tokenizer", "--out", out], out)


def processor_seconds(pid):
    """Of all threads of a process so far; 0 when it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_handler(child, number):
    """Waits until the program takes the signal itself: loading its libraries may take a while."""
    for _ in range(3000):
        with contextlib.suppress(FileNotFoundError):
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
            if caught and int(caught[1], 16) >> (number - 1) & 1:
                return
        if child.poll() is not None:
            return
        time.sleep(0.01)


def signals_while_samples_are_made(program, kills, draw):
    """SIGINT, SIGTERM and SIGHUP end the making of samples within two seconds, with exit 130."""
    out = program.folder / "samples.jsonl"
    made = program.folder / "run"
    sweep = small_sweep(program.folder, lengths="[256K]", samples=3000, tasks="[s1, s2, s3]")
    commands = {
        "generate": ["generate", "--task", "s3", "--length", "64K", "--samples", "100000",
                     "--haystack", "prose", "--tokenizer", ZOO / "tokenizer", "--out", out],
        "run": ["run", sweep, "--quiet", "--out", made],
        "run --dry-run": ["run", sweep, "--dry-run"],
    }
    for name, arguments in commands.items():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child = program.start(arguments)
            wait_for_handler(child, number)
            time.sleep(draw.uniform(0, 1.5))
            if not check(child.poll() is None, f"{name} ended before {number.name}"):
                continue
            before = processor_seconds(child.pid)
            child.send_signal(number)
            took = 0.0  # of the processor: how busy the machine is does not count
            end = time.monotonic() + 60
            while child.poll() is None and time.monotonic() < end:
                took = max(took, processor_seconds(child.pid) - before)
                time.sleep(0.01)
            child.kill()
            code = child.wait()
            check(code == 130, f"{name}: {number.name} gave exit {code}, not 130")
            check(took < 2, f"{name}: {number.name} took {took:.1f} s")
            check(not out.exists(), f"{name}: {number.name} left half a file of samples")
            check(beside(out) == [], f"{name}: {number.name} left {beside(out)}")
            for path in [out, *(out.parent / left for left in beside(out))]:
                remove(path)


# ---- writes that fail ---------------------------------------------------------------------------


def expect_one_clear_line(err, what):
    lines = err.splitlines()
    if check(len(lines) == 1, f"{what}: {len(lines)} lines on stderr, one was expected:\n{err}"):
        check(lines[0].startswith("niah: ") and "File too large" in lines[0],
              f"{what}: the line does not say why: {lines[0]}")


def limits_of(sizes, draw):
    """Limits below the largest file: none at all, some bytes, and within every kind of file. (A
    report that tells times is some bytes shorter or longer the next time.)"""
    most = max(sizes) - max(sizes) // 50
    drawn = {0, 1, 4096, most - 1, most // 2, *(draw.randrange(most) for _ in range(4))}
    for size in sorted(sizes):
        drawn.add(max(0, size - 1))
    drawn = sorted(limit for limit in drawn if 0 <= limit < most)
    return sorted({*draw.sample(drawn, min(8, len(drawn))), 0, most - 1})


def full_disk(program, draw, arguments, out, is_stable=lambda name: True, normal=lambda f: f,
              may_grow=(), may_stay=()):
    """Whatever the limit: one line, exit 3, nothing half written, and the next try ends well.
    `may_grow`: files of lines, of which the first may be there. `may_stay`: what lies beside `out`
    for the next try."""
    program.expect(arguments)
    whole = files_of(out)
    remove(out)
    names = sorted(p.name for p in out.parent.iterdir())
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"{arguments[0]} with files of at most {limit} bytes"
        code, _, err = program.run(arguments, limit)
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        expect_one_clear_line(err, what)
        for name, content in (files_of(out) if out.exists() else {}).items():
            if name in may_grow:
                check(content == b"" or content.endswith(b"\n"), f"{what}: half a line in {name}")
            elif not check(timeless(name) in map(timeless, whole), f"{what}: {name} was left"):
                continue
            elif is_stable(name):
                check(content == whole[name], f"{what}: half of {name} stands under its name")
        left = sorted(set(p.name for p in out.parent.iterdir()) - {*names, out.name, *may_stay})
        check(left == [], f"{what}: {left} left")
        program.expect(arguments)
        left = sorted(set(p.name for p in out.parent.iterdir()) - {*names, out.name})
        check(left == [], f"{what}, then without a limit: {left} left")
        expect_same(normal(files_of(out)), normal(whole), f"{what}, then without a limit")
        remove(out)


def full_disk_of_a_run(program, kills, draw):
    out = program.folder / "run"
    sweep = small_sweep(program.folder, samples=3, lengths="[1K]")

    def is_stable(name):  # the rest holds times
        return name.startswith("heatmaps")

    full_disk(program, draw, ["run", sweep, "--quiet", "--out", out], out, is_stable,
              without_times, may_grow=("journal.jsonl",))


def full_disk_of_merge(program, kills, draw):
    sweep = small_sweep(program.folder, samples=3, lengths="[1K]")
    shards = [program.folder / f"shard{i}" for i in (1, 2)]
    for i, shard in enumerate(shards, 1):
        program.expect(["run", sweep, "--quiet", "--shard", f"{i}/2", "--out", shard])
    out = program.folder / "merged"
    full_disk(program, draw, ["merge", *shards, "--out", out], out)


def full_disk_of_restore(program, kills, draw):
    out = program.folder / "restored"
    full_disk(program, draw,
              ["restore", "--pre", ZOO / "base", "--post", ZOO / "cot-sft", "--method", "qk",
               "--out", out], out)


def full_disk_of_train(program, kills, draw):
    out = program.folder / "tuned"
    full_disk(program, draw, ["train", small_recipe(program.folder), "--quiet", "--out", out], out,
              may_stay=("tuned.work",))


def full_disk_of_generate(program, kills, draw):
    out = program.folder / "samples.jsonl"
    full_disk(program, draw,
              ["generate", "--task", "s2", "--length", "1K", "--samples", "20", "--haystack",
               "prose", "--tokenizer", ZOO / "tokenizer", "--out", out], out)


def full_disk_of_reports(program, kills, draw):
    """`report` over a finished run: what was there stays, or is the new one, but never half."""
    out = program.folder / "run"
    program.expect(["run", small_sweep(program.folder, samples=3), "--quiet", "--out", out])
    program.expect(["report", out])
    whole = files_of(out)
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"report with files of at most {limit} bytes"
        code, _, err = program.run(["report", out], limit)
        sizes = [len(c) for n, c in whole.items() if n not in ("journal.jsonl", "plan.json")]
        if limit >= max(sizes):
            continue
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        check("File too large" in err, f"{what}: stderr does not say why:\n{err}")
        expect_same(files_of(out), whole, what)


def full_disk_of_regress(program, kills, draw):
    run = program.folder / "run"
    program.expect(["run", small_sweep(program.folder, samples=3), "--quiet", "--out", run])
    written = {"--junit": "j.xml", "--summary": "s.md", "--history": "h.jsonl",
               "--trend": "t.html"}
    options = [word for option, name in written.items() for word in (option, name)]
    command = ["regress", "--baseline", run, "--current", run, *options]
    expected, _, _ = program.run(command)
    whole = {name: (program.folder / name).read_bytes() for name in written.values()}
    for limit in limits_of([len(content) for content in whole.values()], draw):
        what = f"regress with files of at most {limit} bytes"
        for name in written.values():
            (program.folder / name).unlink(missing_ok=True)
        code, _, err = program.run(command, limit)
        check(code == 3, f"{what}: exit {code}, not 3\n{err}")
        check("File too large" in err, f"{what}: stderr does not say why:\n{err}")
        for name in written.values():
            path = program.folder / name
            if path.exists() and path.stat().st_size > 0:
                check(path.read_bytes() == whole[name], f"{what}: half of {name}")
        left = [p.name for p in program.folder.iterdir() if ".tmp" in p.name]
        check(left == [], f"{what}: {left} left")
    check(program.run(command)[0] == expected, "regress after the disk was full")


# ---- streams that cannot be written -------------------------------------------------------------


def commands_that_print(program):
    run = program.folder / "run"
    sweep = small_sweep(program.folder, samples=2, lengths="[1K]")
    program.expect(["run", sweep, "--quiet", "--out", run])
    flags = ROOT / "tests" / "data" / "models" / "hypenet-flags"
    pair = ["--pre", ZOO / "base", "--post", ZOO / "cot-sft"]
    return {
        "--help": ["--help"],
        "--version": ["--version"],
        "run --help": ["run", "--help"],
        "run": ["run", sweep, "--out", run],
        "run --dry-run": ["run", sweep, "--dry-run"],
        "report": ["report", run],
        "regress": ["regress", "--baseline", run, "--current", run],
        "show": ["show", run, "s1@1K#0"],
        "show --prompt": ["show", run, "s1@1K#0", "--prompt"],
        "replay": ["replay", run, "s1@1K#0"],
        "info": ["info", ZOO / "base"],
        "verify": ["verify", flags, "--golden", flags / "golden.safetensors"],
        "selftest": ["selftest", flags],
        "generate": ["generate", "--task", "s2", "--length", "1K", "--samples", "2", "--haystack",
                     "prose", "--tokenizer", ZOO / "tokenizer"],
        "restore": ["restore", *pair, "--method", "qk", "--out", program.folder / "restored"],
        "a new run": ["run", sweep, "--out", program.folder / "new"],
        "an unknown command": ["reprodce"],
        "a missing file": ["run", program.folder / "none.yaml", "--out", run],
    }


def written_by(program):
    """What the commands above that write something wrote; it is removed."""
    files = {}
    for name in ("restored", "new"):
        folder = program.folder / name
        if folder.exists():
            files[name] = without_times(files_of(folder))
            shutil.rmtree(folder)
    return files


def stdout_that_is_full(program, kills, draw):
    """What should have been printed and was not is never exit 0, nor a check that said no."""
    for name, arguments in commands_that_print(program).items():
        code, out, _ = program.run(arguments)
        written_by(program)
        with open("/dev/full", "wb") as full:
            child = program.start(arguments, stdout=full, stderr=subprocess.PIPE)
            err = child.communicate(timeout=WAIT)[1].decode(errors="replace")
        written_by(program)
        expected = 3 if out else code
        check(child.returncode == expected,
              f"{name} > /dev/full: exit {child.returncode}, not {expected}\n{err}")
        if out:
            check("No space left" in err, f"{name} > /dev/full: stderr does not say why:\n{err}")


def stderr_that_is_full(program, kills, draw):
    """Progress and notes that nobody can read end nothing, and land in no file."""
    for name, arguments in commands_that_print(program).items():
        code, out, _ = program.run(arguments)
        written = written_by(program)
        for closed in ((), (2,)):
            where = "closed" if closed else "/dev/full"
            with open("/dev/full", "wb") as full:
                child = program.start(arguments, closed=closed, stdout=subprocess.PIPE, stderr=full)
                printed = child.communicate(timeout=WAIT)[0]
            check(child.returncode == code,
                  f"{name} with stderr {where}: exit {child.returncode}, not {code}")
            expect_same(written_by(program), written, f"{name} with stderr {where}")
            if name != "run --dry-run":  # which measures how fast this machine is
                check(printed == out, f"{name} with stderr {where}: stdout is another")


CASES = {
    "kills_of_a_run": kills_of_a_run,
    "kills_of_merge": kills_of_merge,
    "kills_of_restore": kills_of_restore,
    "kills_of_report": kills_of_report,
    "kills_of_train": kills_of_train,
    "kills_of_generate": kills_of_generate,
    "signals_while_samples_are_made": signals_while_samples_are_made,
    "full_disk_of_a_run": full_disk_of_a_run,
    "full_disk_of_merge": full_disk_of_merge,
    "full_disk_of_restore": full_disk_of_restore,
    "full_disk_of_train": full_disk_of_train,
    "full_disk_of_generate": full_disk_of_generate,
    "full_disk_of_reports": full_disk_of_reports,
    "full_disk_of_regress": full_disk_of_regress,
    "stdout_that_is_full": stdout_that_is_full,
    "stderr_that_is_full": stderr_that_is_full,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", help="the built niah")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return
    kills = int(os.environ.get("NIAH_KILLS", "6"))
    for name in arguments.cases or CASES:
        seed = int(os.environ.get("NIAH_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"{name}: NIAH_KILLS={kills} NIAH_SEED={seed}", flush=True)
        before = len(failures)
        with tempfile.TemporaryDirectory(prefix="niah-harm-") as folder:
            program = Program(pathlib.Path(arguments.program).resolve(), folder)
            begin = time.monotonic()
            try:
                CASES[name](program, kills, random.Random(seed))
            except Exception:  # the other cases can still say something
                check(False, traceback.format_exc())
            took = time.monotonic() - begin
        print(f"{name}: {'FAILED' if len(failures) > before else 'passed'} in {took:.0f} s",
              flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
