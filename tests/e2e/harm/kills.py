"""Tests of kills and signals, after which the same command must end as if undisturbed."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from harm.program import (ZOO, beside, check, expect_same, failures, files_of, remove, seconds_of,
                          small_recipe, small_sweep, without_times)


def kill_at(program, arguments, seconds):
    """Starts the program and kills it after `seconds`; returns whether it was still running."""
    child = program.start(arguments)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=seconds)
    child.kill()
    return child.wait() == -signal.SIGKILL


def kills_of_a_run(program, kills, draw):
    """One sweep that is killed again and again and continues every time."""
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
        # Together the tries must take less time than the sweep, or it would end before the last
        # kill.
        moment = draw.uniform(0, first_record[0] + work / kills)
        hit += kill_at(program, [*command, out], moment)
    check(hit > kills // 2, f"only {hit} of {kills} kills found the program at work")
    program.expect([*command, out])
    expect_same(without_times(files_of(out)), without_times(files_of(whole)), "the killed run")
    check(beside(out) == [], f"beside the run: {beside(out)}")


def kills_of_one_command(program, kills, draw, arguments, out):
    """Kills the command at random moments until `kills` kills have hit it. Every few tries it runs
    to its end and must give the undisturbed result. `out`: what it writes."""
    duration = seconds_of(lambda: program.expect(arguments))
    whole = files_of(out)
    names = sorted(p.name for p in out.parent.iterdir())
    check(whole != {}, f"{arguments[0]} wrote nothing")
    hit = tries = 0
    while hit < kills and tries < 20 * kills:
        for _ in range(draw.randint(1, 3)):
            tries += 1
            hit += kill_at(program, arguments, draw.uniform(0, 1.05 * duration))
        # These commands write `out` at once: if it exists, it is complete.
        if arguments[0] in ("restore", "train", "generate") and out.exists():
            expect_same(files_of(out), whole, f"{out.name} of a killed {arguments[0]}")
        # Commands that never overwrite refuse to run twice, unless a kill left something to clean
        # up.
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
    """The processor time of all threads of a process so far; 0 if it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_handler(child, number):
    """Waits until the program has installed its signal handler: loading its libraries may take a
    while."""
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
    """SIGINT, SIGTERM and SIGHUP end sample generation within two seconds, with exit 130."""
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
            took = 0.0  # processor time, so that other load does not count
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
